import { type Content, type Context, contextInfo } from "./content.ts";

export interface LiveLocationOptions extends Context {
  readonly accuracyInMeters?: number;
  readonly caption?: string;
  /** Counts the positions of one sharing. Default 1: the position with which it begins. */
  readonly sequenceNumber?: number;
}

/** The position, in degrees, with which somebody begins to share where they are. */
export function liveLocation(
  latitude: number,
  longitude: number,
  { accuracyInMeters, caption, sequenceNumber = 1, ...context }: LiveLocationOptions = {},
): Content {
  const info = contextInfo(context);
  const liveLocationMessage = {
    degreesLatitude: latitude,
    degreesLongitude: longitude,
    sequenceNumber,
    ...(accuracyInMeters !== undefined && { accuracyInMeters }),
    ...(caption !== undefined && { caption }),
    ...(info && { contextInfo: info }),
  };
  return { message: { liveLocationMessage }, type: "media", mediaType: "livelocation", text: caption ?? "" };
}
