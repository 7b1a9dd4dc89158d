import { BlockList, isIP } from "node:net";

/** What is not reached over the public internet (IANA IPv4 Special-Purpose Address Registry; multicast, and class E). */
const SPECIAL_V4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  // With it the metadata of clouds, 169.254.169.254.
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
];

/** Of IPv6 only this is public (RFC 4291): no loopback, no link-local, no unique local, no IPv4 in another dress. */
const GLOBAL_V6 = "2000::/3";

/** And of that not: Teredo and other protocols, documentation, 6to4. */
const SPECIAL_V6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

function listOf(family: "ipv4" | "ipv6", subnets: readonly string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [address = "", prefix] = subnet.split("/");
    list.addSubnet(address, Number(prefix), family);
  }
  return list;
}

const specialV4 = listOf("ipv4", SPECIAL_V4);
const globalV6 = listOf("ipv6", [GLOBAL_V6]);
const specialV6 = listOf("ipv6", SPECIAL_V6);

/** Whether an IP address is of the public internet. False for what is no address. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !specialV4.check(address, "ipv4");
    case 6:
      return globalV6.check(address, "ipv6") && !specialV6.check(address, "ipv6");
    default:
      return false;
  }
}
