/** Facts: what our own parsers say of what a caller asserts. Each kind is a file or folder here. */
import { awsIam } from './iam/aws.js';
import { gcpIam } from './iam/gcp.js';
import type { FactKind } from './kinds.js';
import { kubernetes } from './kubernetes.js';
import { firewall } from './network/firewall.js';
import { http } from './network/http.js';
import { url } from './network/url.js';
import { path } from './path.js';
import { shell } from './shell/shell.js';
import { sql } from './sql/sql.js';
import { terraform } from './terraform.js';

export type { FactKind, FactResult } from './kinds.js';
export { loadSqlParsers as loadFactParsers } from './sql/parsers.js';

/** Every kind by the name under which bundles declare it and conditions read it. */
export const factKinds: Readonly<Record<string, FactKind>> = { aws_iam: awsIam, firewall, gcp_iam: gcpIam, http, kubernetes, path, shell, sql, terraform, url };
