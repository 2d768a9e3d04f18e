/** What CI systems read: JUnit XML (the form that Jenkins, GitLab and GitHub's actions take) and TAP 14. */
import type { PolicyTestReport } from '@countersign/core/policy';

export function junit(name: string, { results, shortfalls }: PolicyTestReport): string {
  const cases = [...results.map((result) => ({ name: result.name, failures: result.failures })), { name: 'coverage', failures: shortfalls }];
  const failures = cases.filter((each) => each.failures.length > 0).length;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites><testsuite name="${xml(name)}" tests="${cases.length}" failures="${failures}" errors="0" skipped="0">`,
    ...cases.map(({ name: title, failures: why }) => {
      const head = `<testcase classname="${xml(name)}" name="${xml(title)}"`;
      return why.length === 0 ? `${head}/>` : `${head}><failure message="${xml(why[0] ?? '')}">${xml(why.join('\n'))}</failure></testcase>`;
    }),
    '</testsuite></testsuites>',
  ].join('\n');
}

export function tap(name: string, { results, shortfalls }: PolicyTestReport): string {
  const cases = [...results.map((result) => ({ name: result.name, failures: result.failures })), { name: `${name}: coverage`, failures: shortfalls }];
  return [
    'TAP version 14',
    `1..${cases.length}`,
    ...cases.flatMap(({ name: title, failures }, index) => [
      `${failures.length === 0 ? 'ok' : 'not ok'} ${index + 1} - ${title.replace(/[\r\n]+/g, ' ').replace(/[\\#]/g, (mark) => `\\${mark}`)}`,
      // A YAML block, in which a JSON text is a value.
      ...(failures.length === 0 ? [] : ['  ---', ...failures.map((failure, at) => `  failure_${at + 1}: ${JSON.stringify(failure)}`), '  ...']),
    ]),
  ].join('\n');
}

/** Text in XML 1.0; characters that it cannot hold are left out. */
function xml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\n': '&#10;' };
  // oxlint-disable-next-line no-control-regex -- XML 1.0 allows no control characters but tab and line ends (section 2.2)
  return text.replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, '').replace(/[&<>"\n]/g, (mark) => entities[mark] ?? '');
}
