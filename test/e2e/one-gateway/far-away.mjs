// Loaded into the sidecar with --import: a name of the internet, by its address too, that leads to this machine all the
// same. What the sidecar looks at before it connects is a public address; only the connection itself comes here.
import dns from "node:dns";
import { syncBuiltinESMExports } from "node:module";
import { Socket } from "node:net";

const NAME = process.env.HOTBAGS_FAR_AWAY;
const PUBLIC = { address: "93.184.215.14", family: 4 };
const HERE = { address: "127.0.0.1", family: 4 };

const answered = ({ all }, { address, family }, callback) =>
  all ? callback(null, [{ address, family }]) : callback(null, address, family);

const { lookup } = dns;
dns.lookup = (name, options, callback) =>
  name === NAME ? process.nextTick(answered, options, PUBLIC, callback) : lookup(name, options, callback);
syncBuiltinESMExports();

const { connect } = Socket.prototype;
Socket.prototype.connect = function (options, ...rest) {
  if (options?.host !== NAME) return connect.call(this, options, ...rest);
  const there = (name, asked, callback) =>
    options.lookup(name, asked, (error) => (error ? callback(error) : answered(asked, HERE, callback)));
  return connect.call(this, { ...options, lookup: there }, ...rest);
};
