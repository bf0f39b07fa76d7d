/** Tree of files: folders that are open or not, made of a flat list of paths. */

/** Row of a tree as it is shown. */
export interface TreeRow {
  /** Path of the file, or of the folder without a slash at its end. */
  path: string;
  /** Name within the folder that it is in. */
  name: string;
  depth: number;
  /** Files below a folder; undefined of a file. */
  files: number | undefined;
  /** Bytes of the file, or of all below the folder. */
  bytes: number;
  open: boolean;
}

interface Folder {
  folders: Map<string, Folder>;
  files: { path: string; name: string; bytes: number }[];
  count: number;
  bytes: number;
}

function folder(): Folder {
  return { folders: new Map(), files: [], count: 0, bytes: 0 };
}

/** Returns the rows of files: in each folder its folders by name, then its files; what is in closed ones is left out. */
export function treeOf(
  files: readonly { path: string; bytes: number }[],
  isOpen: (folder: string) => boolean,
): TreeRow[] {
  const root = folder();
  for (const { path, bytes } of files) {
    const parts = path.split("/");
    let at = root;
    for (const part of parts.slice(0, -1)) {
      let next = at.folders.get(part);
      if (!next) at.folders.set(part, next = folder());
      next.count++;
      next.bytes += bytes;
      at = next;
    }
    at.files.push({ path, name: parts.at(-1)!, bytes });
  }
  const rows: TreeRow[] = [];
  const show = (from: Folder, above: string, depth: number) => {
    for (const [name, below] of [...from.folders].sort(([one], [other]) => one < other ? -1 : 1)) {
      const path = above + name;
      const open = isOpen(path);
      rows.push({ path, name, depth, files: below.count, bytes: below.bytes, open });
      if (open) show(below, `${path}/`, depth + 1);
    }
    for (const { path, name, bytes } of from.files) {
      rows.push({ path, name, depth, files: undefined, bytes, open: false });
    }
  };
  show(root, "", 0);
  return rows;
}
