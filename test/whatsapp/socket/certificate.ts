import { Curve, type KeyPair, proto } from "baileys";

/** What the server shows in its handshake, and the root key that a client has to trust for it. */
export interface ServerIdentity {
  readonly staticKey: KeyPair;
  /** An encoded CertChain: the leaf is the static key, signed by the intermediate, which the root signed. */
  readonly certificate: Uint8Array;
  readonly rootPublicKey: Buffer;
}

/** Makes a root, an intermediate and a leaf certificate as Baileys checks them. Takes about 20 ms of CPU. */
export function makeServerIdentity(): ServerIdentity {
  const root = Curve.generateKeyPair();
  const intermediate = Curve.generateKeyPair();
  const staticKey = Curve.generateKeyPair();
  const { NoiseCertificate } = proto.CertChain;

  // issuerSerial 0 is what Baileys compares with its pinned serial; protobuf leaves it out unless it is set.
  const intermediateDetails = NoiseCertificate.Details.encode({
    serial: 1,
    issuerSerial: 0,
    key: intermediate.public,
  }).finish();
  const leafDetails = NoiseCertificate.Details.encode({ serial: 2, issuerSerial: 1, key: staticKey.public }).finish();
  const certificate = proto.CertChain.encode({
    intermediate: { details: intermediateDetails, signature: Curve.sign(root.private, intermediateDetails) },
    leaf: { details: leafDetails, signature: Curve.sign(intermediate.private, leafDetails) },
  }).finish();
  return { staticKey, certificate, rootPublicKey: Buffer.from(root.public) };
}
