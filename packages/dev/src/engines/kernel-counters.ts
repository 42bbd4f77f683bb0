import { existsSync, globSync, readFileSync } from "node:fs";

/** The kernel's own count of a container's time of cores, in nanoseconds, by cgroup v1 or v2. Throws when there is none. */
export function kernelCpuNanos(containerId: string): number {
  const v1 = `/sys/fs/cgroup/cpuacct/docker/${containerId}/cpuacct.usage`;
  if (existsSync(v1)) return Number(readFileSync(v1, "utf8"));
  const [v2] = globSync(`/sys/fs/cgroup/**/*${containerId}*/cpu.stat`);
  if (v2 === undefined) throw new Error("the kernel counts this container nowhere");
  return 1000 * Number(/usage_usec (\d+)/.exec(readFileSync(v2, "utf8"))?.[1]);
}

/** The machine's own number of a container's first process. Throws when it does not run. */
export function hostPidOf(containerId: string): number {
  const v1 = `/sys/fs/cgroup/pids/docker/${containerId}/cgroup.procs`;
  const [file] = existsSync(v1)
    ? [v1]
    : globSync(`/sys/fs/cgroup/**/*${containerId}*/cgroup.procs`);
  const pid = file === undefined ? 0 : Number(readFileSync(file, "utf8").split("\n")[0]);
  if (pid === 0) throw new Error("the container does not run");
  return pid;
}
