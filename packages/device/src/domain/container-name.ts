/**
 * The name of an allocation's container: `farebox-<allocation>-<end of the term>`. A label cannot be changed and a name can, so
 * that whoever watches on the node alone knows when the term ends, extensions included.
 */
export function containerName(allocationId: string, leaseEndMs: number): string {
  return `farebox-${allocationId}-${Math.ceil(leaseEndMs / 1000)}`;
}

/** When a container's term ends, by its name; undefined for a name that is not of this form. */
export function leaseEndOf(name: string): number | undefined {
  const seconds = /^farebox-[0-9a-f]{32}-(\d{1,12})$/.exec(name)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
