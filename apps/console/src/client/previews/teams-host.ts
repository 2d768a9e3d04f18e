/** Measures and colours of cards in Teams, light and dark (Microsoft's host configurations of Teams, by their published values). */
export function hostConfig(dark: boolean): object {
  const [ink, subtle, accent, good, attention, warning] = dark
    ? ['#ffffff', '#adadad', '#7f85f5', '#92c353', '#e74856', '#f8d22a']
    : ['#242424', '#616161', '#5b5fc7', '#237b4b', '#c4314b', '#835c00'];
  const shade = (value: string) => ({ default: value, subtle: `${value}cc` });
  const foregroundColors = {
    default: { default: ink, subtle },
    accent: shade(accent),
    good: shade(good),
    attention: shade(attention),
    warning: shade(warning),
    light: { default: ink, subtle },
    dark: { default: ink, subtle },
  };
  return {
    fontFamily: "'Segoe UI', system-ui, sans-serif",
    supportsInteractivity: true,
    spacing: { small: 6, default: 8, medium: 12, large: 16, extraLarge: 20, padding: 16 },
    separator: { lineThickness: 1, lineColor: dark ? '#3d3d3d' : '#e0e0e0' },
    fontTypes: {
      default: { fontSizes: { small: 12, default: 14, medium: 14, large: 18, extraLarge: 24 }, fontWeights: { lighter: 200, default: 400, bolder: 600 } },
      monospace: {
        fontFamily: "'Cascadia Mono', Consolas, monospace",
        fontSizes: { small: 12, default: 13, medium: 14, large: 18, extraLarge: 24 },
        fontWeights: { lighter: 200, default: 400, bolder: 600 },
      },
    },
    containerStyles: {
      default: { backgroundColor: dark ? '#292929' : '#ffffff', foregroundColors },
      emphasis: { backgroundColor: dark ? '#1f1f1f' : '#f5f5f5', foregroundColors },
    },
    actions: {
      maxActions: 6,
      spacing: 'default',
      buttonSpacing: 8,
      actionsOrientation: 'horizontal',
      actionAlignment: 'left',
      showCard: { actionMode: 'inline', inlineTopMargin: 16 },
    },
  };
}
