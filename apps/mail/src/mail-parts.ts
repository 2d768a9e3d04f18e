import { bracketed, escapeHtml, unlinked } from './written-addresses.js';

/**
 * What a mail is made of, once for both of its parts, so that they cannot tell different stories. `own` is in the product's voice; all other
 * text may be anybody's: it is shown letter for letter, in HTML as text and never as markup, and nothing in it can be followed.
 */
export type Part =
  /** What this mail is, in a word or two of ours. */
  | { kind: 'status'; own: string; tone: Tone }
  | { kind: 'headline'; text: string }
  /** A sentence; `own` begins it. */
  | { kind: 'line'; own: string; text?: string; strong?: boolean }
  | { kind: 'section'; own: string }
  /** `exact`: values letter for letter, in letters of one width. `theirs`: the labels are others' text as well. */
  | { kind: 'facts'; rows: readonly { label: string; value: string }[]; exact?: boolean; theirs?: boolean }
  /** Text of others, whole, with its line breaks. */
  | { kind: 'box'; label: string; text: string; diff?: boolean; theirs?: boolean }
  | { kind: 'note'; own: string; text?: string }
  | { kind: 'warning'; text: string }
  /** The only thing that can be followed: an address of ours. */
  | { kind: 'button'; own: string; url: string; small?: boolean };

export type Tone = 'asks' | 'good' | 'bad' | 'over';

/** The text part. Lines of others begin with a bar, so that none looks like a line of ours. */
export function textOf(parts: readonly Part[]): string {
  const blocks = parts.map((part): string => {
    switch (part.kind) {
      case 'status':
        return part.own.toUpperCase();
      case 'headline':
        return bracketed(part.text);
      case 'line':
      case 'note':
        return `${part.own}${bracketed(part.text ?? '')}`;
      case 'section':
        return `--- ${part.own} ---`;
      case 'facts':
        return part.rows.map(({ label, value }) => `${part.theirs === true ? '| ' : ''}${bracketed(label)}: ${bracketed(value)}`).join('\n');
      case 'box':
        return `${part.theirs === true ? '| ' : ''}${bracketed(part.label)}:\n${bracketed(part.text).replaceAll(/^/gm, '| ')}`;
      case 'warning':
        return `! Beware: ${bracketed(part.text)}`;
      case 'button':
        return `${part.own}:\n${part.url}`;
    }
  });
  const text = blocks.join('\n\n');
  const said = parts.some((part) => changes(part))
    ? `${text}\n\nIn this text, marks of addresses that others wrote stand in brackets, so that no mail program makes links of them. The page of the request shows every letter as it is.`
    : text;
  return `${said}\n`;
}

/** Whether the text part of it differs from its letters. */
function changes(part: Part): boolean {
  const texts = part.kind === 'facts' ? part.rows.flatMap(({ label, value }) => [label, value]) : 'text' in part ? [part.text ?? ''] : [];
  return texts.some((text) => bracketed(text) !== text);
}

const FONT = "font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const MONO = "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono',monospace";

/** Colours of light mode stand inline, for programs that read no style sheet; those of dark mode in one. */
const STYLE = `:root{color-scheme:light dark;supported-color-schemes:light dark}
body{margin:0;padding:0;-webkit-text-size-adjust:100%}
span{color:inherit}
@media (max-width:480px){.in{padding:20px 18px!important}.l{display:block!important;width:auto!important;padding:8px 0 0!important}.v{display:block!important;padding:0!important}.go{display:block!important;text-align:center!important}}
@media (prefers-color-scheme:dark){.bg{background:#12161c!important}.card{background:#1b2129!important;border-color:#2d3641!important}.t{color:#e8ecf1!important}.q{color:#9fabb8!important}.box{background:#131920!important;border-color:#2d3641!important;color:#dfe5ec!important}.rule{border-color:#2d3641!important}.warn{background:#3a2a08!important;border-color:#8a6a1c!important;color:#ffdf9e!important}
.asks{background:#3a2a08!important;color:#ffd480!important}.good{background:#10361f!important;color:#8fe3ac!important}.bad{background:#43181a!important;color:#ffb1ab!important}.over{background:#2c343e!important;color:#c3ccd6!important}.go{background:#4d8df6!important;color:#0b1017!important}.plus{color:#8fe3ac!important}.minus{color:#ffb1ab!important}.brand{color:#9fabb8!important}}`;

const TONES: Record<Tone, string> = {
  asks: 'background:#fff1d0;color:#7a4d00',
  good: 'background:#d9f2e2;color:#12572e',
  bad: 'background:#fde0de;color:#8c1d18',
  over: 'background:#e6eaef;color:#46525f',
};

/** The HTML part: no image, no script, no form, nothing from elsewhere; every address in it is ours. */
export function htmlOf(title: string, parts: readonly Part[]): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark"><meta name="format-detection" content="telephone=no,date=no,address=no,email=no,url=no"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body class="bg" style="margin:0;padding:0;background:#f2f4f7"><table role="presentation" class="bg" width="100%" cellpadding="0" cellspacing="0" border="0" style="background:#f2f4f7"><tr><td align="center" style="padding:16px 8px 32px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:640px"><tr><td class="brand" style="${FONT};font-size:13px;line-height:20px;color:#5a6775;padding:0 4px 10px">Countersign</td></tr><tr><td class="card in" style="background:#ffffff;border:1px solid #dde3ea;border-radius:12px;padding:26px 30px">
${parts.map(htmlOfPart).join('\n')}
</td></tr></table></td></tr></table></body></html>
`;
}

const TEXT = `${FONT};font-size:15px;line-height:23px;color:#1c2530`;

function htmlOfPart(part: Part): string {
  switch (part.kind) {
    case 'status':
      return `<div><b class="${part.tone}" style="${FONT};display:inline-block;font-size:13px;line-height:18px;font-weight:600;padding:4px 11px;border-radius:999px;${TONES[part.tone]}">${escapeHtml(part.own)}</b></div>`;
    case 'headline':
      return `<h1 class="t wrap" style="${FONT};font-size:20px;line-height:28px;font-weight:600;color:#1c2530;margin:12px 0 4px;word-break:break-word;overflow-wrap:anywhere">${unlinked(part.text)}</h1>`;
    case 'line':
      return `<p class="t" style="${TEXT};margin:10px 0;word-break:break-word;overflow-wrap:anywhere${part.strong === true ? ';font-weight:600' : ''}">${escapeHtml(part.own)}${unlinked(part.text ?? '')}</p>`;
    case 'section':
      return `<h2 class="q rule" style="${FONT};font-size:13px;line-height:18px;font-weight:600;color:#5a6775;margin:24px 0 8px;padding:16px 0 0;border-top:1px solid #e4e9ef">${escapeHtml(part.own)}</h2>`;
    case 'facts':
      return `<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0">${part.rows.map((row) => factRow(row, part.exact === true)).join('')}</table>`;
    case 'box':
      return `<p class="q" style="${FONT};font-size:13px;line-height:18px;color:#5a6775;margin:12px 0 4px;word-break:break-word;overflow-wrap:anywhere">${unlinked(part.label)}</p><pre class="box" style="${MONO};font-size:13px;line-height:19px;color:#1c2530;background:#f6f8fa;border:1px solid #e4e9ef;border-radius:8px;margin:0;padding:10px 12px;white-space:pre-wrap;word-break:break-word;overflow-wrap:anywhere">${part.diff === true ? diffOf(part.text) : unlinked(part.text)}</pre>`;
    case 'note':
      return `<p class="q" style="${FONT};font-size:13px;line-height:19px;color:#5a6775;margin:10px 0;word-break:break-word;overflow-wrap:anywhere">${escapeHtml(part.own)}${unlinked(part.text ?? '')}</p>`;
    case 'warning':
      return `<p class="warn" style="${FONT};font-size:14px;line-height:20px;color:#7a4d00;background:#fff7e3;border:1px solid #f0d9a0;border-radius:8px;margin:12px 0;padding:9px 12px;word-break:break-word;overflow-wrap:anywhere"><b>Beware:</b> ${unlinked(part.text)}</p>`;
    case 'button':
      return part.small === true
        ? `<p class="t" style="${TEXT};margin:12px 0"><a href="${escapeHtml(part.url)}" style="color:#1f5fd0">${escapeHtml(part.own)}</a></p>`
        : `<div style="margin:18px 0 6px"><a class="go" href="${escapeHtml(part.url)}" style="${FONT};display:inline-block;font-size:16px;line-height:22px;font-weight:600;color:#ffffff;background:#1f5fd0;border-radius:9px;padding:12px 22px;text-decoration:none">${escapeHtml(part.own)}</a></div>`;
  }
}

const factRow = ({ label, value }: { label: string; value: string }, exact: boolean): string =>
  `<tr><td class="q l" valign="top" width="150" style="${FONT};font-size:13px;line-height:20px;color:#5a6775;padding:4px 14px 4px 0;width:150px;word-break:break-word;overflow-wrap:anywhere">${unlinked(label)}</td><td class="t v" valign="top" style="${exact ? MONO : FONT};font-size:${exact ? 13 : 14}px;line-height:20px;color:#1c2530;padding:4px 0;word-break:break-word;overflow-wrap:anywhere">${unlinked(value)}</td></tr>`;

/** Lines that are added and taken away in their colours, which the eye looks for; the letters say the same. */
const diffOf = (text: string): string =>
  text
    .split('\n')
    .map((line) => {
      const sign = /^\+(?!\+\+ )/.test(line) ? ['plus', '#12572e'] : /^-(?!-- )/.test(line) ? ['minus', '#8c1d18'] : null;
      return sign === null ? unlinked(line) : `<span class="${sign[0] ?? ''}" style="color:${sign[1] ?? ''}">${unlinked(line)}</span>`;
    })
    .join('\n');
