import { type Content, type Context, contextInfo } from "./content.ts";

export interface LocationOptions extends Context {
  readonly name?: string;
  readonly address?: string;
}

/** A place on the map, in degrees. */
export function location(
  latitude: number,
  longitude: number,
  { name, address, ...context }: LocationOptions = {},
): Content {
  const info = contextInfo(context);
  const locationMessage = {
    degreesLatitude: latitude,
    degreesLongitude: longitude,
    ...(name !== undefined && { name }),
    ...(address !== undefined && { address }),
    ...(info && { contextInfo: info }),
  };
  return { message: { locationMessage }, type: "text", text: "" };
}
