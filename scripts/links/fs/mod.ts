/**
 * The parts of `@std/fs` that are used here, with its contract. They are written
 * out, since npm's `deno-std` has no `fs`. See CONTRIBUTING.md.
 */

/** Whether there is a file or a directory at the path. */
export async function exists(path: string | URL): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Makes a directory and those above it, unless they exist. */
export async function ensureDir(dir: string | URL): Promise<void> {
  await Deno.mkdir(dir, { recursive: true });
}

/** Removes all that a directory holds, or makes the directory. */
export async function emptyDir(dir: string | URL): Promise<void> {
  await ensureDir(dir);
  const path = await Deno.realPath(dir);
  for await (const { name } of Deno.readDir(path)) {
    await Deno.remove(`${path}/${name}`, { recursive: true });
  }
}

/** Copies a file, or a directory with all that it holds, to a new path. */
export async function copy(
  from: string | URL,
  to: string | URL,
): Promise<void> {
  if (await exists(to)) {
    throw new Deno.errors.AlreadyExists(`'${to}' already exists.`);
  }
  const source = await Deno.realPath(from);
  const { isDirectory } = await Deno.stat(source);
  if (!isDirectory) return await Deno.copyFile(source, to);
  await ensureDir(to);
  const target = await Deno.realPath(to);
  for await (const { name } of Deno.readDir(source)) {
    await copy(`${source}/${name}`, `${target}/${name}`);
  }
}
