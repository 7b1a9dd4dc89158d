// Preloaded into a gateway under test and its helpers: as if this machine had no network but loopback. OpenClaw asks clawhub.ai for a list
// of plugins at each start, which no setting turns off; and should a double ever not be set up, its credentials must not reach the
// real WhatsApp.
import dns from "node:dns";
import dnsPromises from "node:dns/promises";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1|::ffff:127(\.\d{1,3}){3})$/i;

/** Undefined for a host on this machine, else the error that a machine without network would give. */
function refusal(host) {
  if (LOOPBACK.test(host)) return undefined;
  process.stderr.write(`loopback-only: ${host} is out of reach for this gateway\n`);
  return Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), {
    code: "ENOTFOUND",
    hostname: host,
    syscall: "getaddrinfo",
  });
}

const { lookup } = dns;
dns.lookup = (host, ...rest) => {
  const error = refusal(host);
  if (error) return process.nextTick(rest.at(-1), error);
  return lookup(host, ...rest);
};

const { lookup: lookupAsync } = dnsPromises;
dnsPromises.lookup = async (host, ...rest) => {
  const error = refusal(host);
  if (error) throw error;
  return lookupAsync(host, ...rest);
};

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...args) {
  // Node's own callers pass their normalised arguments as one array.
  const [options] = Array.isArray(args[0]) ? args[0] : args;
  const host = typeof options === "object" ? options.host : args[1];
  const error = typeof host === "string" && net.isIP(host) ? refusal(host) : undefined;
  if (error) return this.destroy(error);
  return connect.apply(this, args);
};

syncBuiltinESMExports();
