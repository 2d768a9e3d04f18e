/** Installs and builds, and runs nothing: for an image. */
import { prepare } from './prepare.mjs';

prepare({ say: (line) => process.stdout.write(`${line} …\n`) });
