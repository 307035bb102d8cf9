// Writes what the Rust part exports into `native.d.ts`. Run by `cargo xtask dts`, which has had the definitions compiled:
// node native.mjs CLI-MODULE FOLDER-OF-DEFINITIONS
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const [cli, folder] = process.argv.slice(2);
const { generateTypeDef } = await import(pathToFileURL(cli));
const here = path.dirname(fileURLToPath(import.meta.url));
const { dts } = await generateTypeDef({ typeDefDir: folder, cwd: here, dtsHeader: '/* What the Rust part exports; made by `cargo xtask dts`. */\n' });
writeFileSync(path.join(here, 'native.d.ts'), dts);
