import { proto } from "baileys";
import type { Content, Quotable } from "./content.ts";

const { AssociationType } = proto.MessageAssociation;
const { PairedMediaType } = proto.ContextInfo;

/** The frame of an album. It has no picture itself: they follow as messages of their own, each `inAlbum`. */
export function album(pictures: number): Content {
  return {
    message: { albumMessage: { expectedImageCount: pictures, expectedVideoCount: 0 } },
    type: "media",
    text: "",
  };
}

/** A picture of an album. */
export function inAlbum(picture: Content, frame: Quotable): Content {
  return associated(picture, frame, AssociationType.MEDIA_ALBUM);
}

/** A picture that was sent "in HD" comes twice. This is the first message, which is smaller, and says that another one follows. */
export function beforeHd(picture: Content): Content {
  return paired(picture, PairedMediaType.SD_IMAGE_PARENT);
}

/** And this the second one, in full resolution. */
export function inHd(picture: Content, first: Quotable): Content {
  const { message, ...content } = paired(picture, PairedMediaType.HD_IMAGE_CHILD);
  const child = { ...content, message: { associatedChildMessage: { message } } };
  return associated(child, first, AssociationType.HD_IMAGE_DUAL_UPLOAD);
}

function paired(picture: Content, pairedMediaType: proto.ContextInfo.PairedMediaType): Content {
  const { imageMessage } = picture.message;
  if (!imageMessage) throw new Error("this is no picture");
  const contextInfo = { ...imageMessage.contextInfo, pairedMediaType };
  return { ...picture, message: { imageMessage: { ...imageMessage, contextInfo } } };
}

function associated(content: Content, parent: Quotable, associationType: proto.MessageAssociation.AssociationType) {
  const messageAssociation = { associationType, parentMessageKey: { id: parent.id, fromMe: true } };
  return { ...content, message: { ...content.message, messageContextInfo: { messageAssociation } } };
}
