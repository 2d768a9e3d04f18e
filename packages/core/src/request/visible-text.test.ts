import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { makeVisible } from './visible-text.js';

describe('text that people judge shows all that is in it', () => {
  test.each<[string, string]>([
    ['a\u202eb', 'a⟦U+202E RLO⟧b'],
    ['a\u0000\u0007\u001b[31m', 'a⟦U+0000 NUL⟧⟦U+0007 BEL⟧⟦U+001B ESC⟧[31m'],
    ['pass\u200bword', 'pass⟦U+200B ZWSP⟧word'],
    ['x\u200dy', 'x⟦U+200D ZWJ⟧y'],
    ['a\u00a0b\u2028c\rd', 'a⟦U+00A0 NBSP⟧b⟦U+2028 line separator⟧c⟦U+000D CR⟧d'],
    ['\ue000\u{10FFFF}\uD83Dx', '⟦U+E000 private use⟧⟦U+10FFFF unassigned⟧⟦U+D83D lone surrogate⟧x'],
    ['a\u{E0061}\u{E007F}', 'a⟦U+E0061 tag⟧⟦U+E007F tag⟧'],
    ['a\ufe0f\u{E0100}', 'a⟦U+FE0F variation selector⟧⟦U+E0100 variation selector⟧'],
    ['❤\ufe0f\ufe0f', '❤\ufe0f⟦U+FE0F variation selector⟧'],
    ['\u3164\u115f\u034f\u00ad\ufeff', '⟦U+3164 Hangul filler⟧⟦U+115F Hangul filler⟧⟦U+034F CGJ⟧⟦U+00AD SHY⟧⟦U+FEFF BOM⟧'],
    ['a\u3000b', 'a⟦U+3000 ideographic space⟧b'],
    ['😀\u200da', '😀⟦U+200D ZWJ⟧a'],
    ['\u{1F3F4}\u{E0078}\u{E007F}', '\u{1F3F4}⟦U+E0078 tag⟧⟦U+E007F tag⟧'],
  ])('%j is shown as %j', (text, shown) => expect(makeVisible(text).text).toBe(shown));

  test.each([
    'plain text,\n\twith a tab',
    'Grüße, Đà Nẵng, Ελλάδα, Привет, שלום, مرحبا, नमस्ते, 你好, こんにちは, 안녕하세요, ሰላም, ภาษาไทย, ᠮᠣᠩᠭᠣᠯ',
    'می\u200cخواهم',
    'क्\u200dष श्री\u200dराम',
    '👩\u200d👩\u200d👧\u200d👦 👩🏽\u200d💻 ❤\ufe0f\u200d🔥 🏳\ufe0f\u200d🌈 1\ufe0f\u20e3 ☎\ufe0e',
    '🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}',
    '東京\u3000タワー',
    '葛\u{E0100}飾区',
    '⠓⠑⠇⠇⠕⠀⠺⠕⠗⠇⠙',
    'e\u0301',
  ])('%j passes as it is', (text) => expect(makeVisible(text)).toEqual({ text, found: [] }));

  test('what was found is named, counted and placed', () => {
    expect(makeVisible('a\u202eb\u202e\u200b').found).toEqual([
      { codePoint: 'U+202E', name: 'RLO', kind: 'bidirectional', count: 2, firstIndex: 1 },
      { codePoint: 'U+200B', name: 'ZWSP', kind: 'zero_width', count: 1, firstIndex: 4 },
    ]);
  });

  test('no shown text moves other text or hides a control, whatever came in', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.oneof(
            fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
            fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
          ),
        }),
        (text) => {
          const { text: shown } = makeVisible(text);
          expect(shown).not.toMatch(/[\p{Bidi_Control}\p{Cs}\p{Co}\u200b\u2060\ufeff]|(?![\n\t])\p{Cc}/u);
          expect(makeVisible(shown).text).toBe(shown);
        },
      ),
    );
  });
});
