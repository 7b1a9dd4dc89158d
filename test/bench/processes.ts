import { readdirSync, readFileSync } from "node:fs";

// What processes take, as the kernel says under /proc.

/** CPU time that a process has used, of all its threads, ms; not a number where there is none. */
export function cpuMs(pid: number | undefined): number {
  const [user, system] = read(pid, "stat").split(") ")[1]?.split(" ").slice(11, 13) ?? [];
  return (Number(user) + Number(system)) * 10;
}

/** What a process and all that it has started hold, bytes. Pages that several share count for each: it is too much rather than too little. */
export function treeRss(root: number | undefined): number {
  return sumOf(root, (pid) => Number(/^VmRSS:\s+(\d+) kB/m.exec(read(pid, "status"))?.[1] ?? 0) * 1_024);
}

/** Files, sockets and all else that a process and all that it has started have open. */
export function treeHandles(root: number | undefined): number {
  return sumOf(root, (pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).length;
    } catch {
      return 0;
    }
  });
}

function sumOf(root: number | undefined, of: (pid: number) => number): number {
  if (root === undefined) return 0;
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    const status = /^\d+$/.test(name) ? read(Number(name), "status") : "";
    if (status) parents.set(Number(name), Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]));
  }
  const isOurs = (pid: number | undefined): boolean => pid === root || (!!pid && pid > 1 && isOurs(parents.get(pid)));
  return [...parents.keys()].filter(isOurs).reduce((sum, pid) => sum + of(pid), 0);
}

/** "" for one that has just ended. */
function read(pid: number | undefined, file: "stat" | "status"): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
