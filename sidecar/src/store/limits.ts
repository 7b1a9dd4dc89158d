/** How much of the attachments is kept, and how much goes along to Hot Bags. */
export interface MediaLimits {
  /** All files together, bytes on disk. */
  storeBytes: number;
  /** The files of one message that are sent along, bytes before base64. 0: none ever. */
  inlineBytes: number;
}

/** 3 MB are 4 MB of base64, which leaves half a megabyte of what Hot Bags can take (MAX_BODY_BYTES) for the text and `raw`. */
export const DEFAULT_MEDIA_LIMITS: MediaLimits = { storeBytes: 4 * 1024 ** 3, inlineBytes: 3_000_000 };
