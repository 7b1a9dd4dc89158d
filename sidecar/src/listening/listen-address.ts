/** Where the sidecar listens: a port on loopback, or the path of a Unix socket. */
export type ListenAddress = { host: string; port: number } | { path: string };
