/** Installs and builds, so that bin/countersign runs from this checkout. */
import { prepare } from './prepare.mjs';

prepare({ say: (line) => process.stdout.write(`${line} …\n`) });
