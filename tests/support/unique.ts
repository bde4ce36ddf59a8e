/** A nickname that no test running beside this one uses: discovery shares one port on loopback. */
export function unique(nickname: string): string {
  return `${nickname}-${crypto.randomUUID().slice(0, 8)}`;
}
