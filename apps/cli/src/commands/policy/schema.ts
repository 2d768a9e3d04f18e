import { bundleJsonSchema } from '@countersign/core/policy';
import { EXIT } from '../../cli-error.js';
import { type Command, readArguments } from '../../command.js';

export const policySchema: Command = {
  name: 'policy schema',
  summary: 'print the JSON Schema of policy files, for editors',
  usage: `Usage: countersign policy schema
  Prints the JSON Schema (2020-12). In a file: # yaml-language-server: $schema=./policy.schema.json`,
  async run(args, terminal) {
    readArguments(args, {}, 0);
    terminal.out(JSON.stringify(bundleJsonSchema(), null, 2));
    return EXIT.fine;
  },
};
