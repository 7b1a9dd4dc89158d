import { expect, it } from "vitest";
import { isPublicAddress } from "./public-address.ts";

it.each(["93.184.215.14", "8.8.8.8", "172.15.255.255", "172.32.0.0", "2606:2800:21f:cb07::1", "2a00:1450:4001::1"])(
  "%s is of the internet",
  (address) => {
    expect(isPublicAddress(address)).toBe(true);
  },
);

it.each([
  ...["127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1"],
  // Metadata of clouds.
  ...["169.254.169.254", "fd00:ec2::254", "100.100.100.200"],
  ...["224.0.0.1", "255.255.255.255", "198.51.100.7"],
  ...["::1", "::", "fe80::1", "fc00::1", "ff02::1", "2001:db8::1"],
  // IPv4 in another dress.
  ...["::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1"],
  ...["localhost", "", "127.1", "8.8.8.8:443"],
])("%j is not", (address) => {
  expect(isPublicAddress(address)).toBe(false);
});
