// Made from the zod schemas by test/contract/generated.test.ts: do not edit.

import type { BridgeEvent, DeliveryReport, InboundRequest, OutboxAnswer } from "./types.ts";

/** The body of a request for each kind of message, by its name in docs/contract. */
export const examples = {
  "animated-sticker": {
    "message_id": "3A000000000000000023",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "",
    "media": [
      {
        "type": "sticker",
        "mime_type": null,
        "file_name": null,
        "size_bytes": null,
        "sha256": null,
        "omitted": "the file could not be read"
      }
    ],
    "timestamp": "2026-01-05T10:23:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000023",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767608580000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "audio": {
    "message_id": "3A000000000000000007",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "",
    "media": [
      {
        "type": "audio",
        "mime_type": "audio/mp4",
        "file_name": null,
        "size_bytes": 140,
        "sha256": "4ac4ce71e739b340e1d2b879a59eb94fd8b142710798eec9a41a1b410f075bea",
        "data_base64": "AAAAGGZ0eXBNNEEgAAAAAGlzb21NNEEgAAAAdG1vb3YAAABsbXZoZAAAAAAAAAAAAAAAAAAAA+gAAAAAAAEAAAEAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
      }
    ],
    "timestamp": "2026-01-05T10:07:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000007",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767607620000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "contact": {
    "message_id": "3A000000000000000014",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "",
    "media": [],
    "timestamp": "2026-01-05T10:14:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000014",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767608040000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001",
      "ChannelStructuredContext": [
        {
          "label": "WhatsApp contact",
          "source": "whatsapp",
          "type": "contact",
          "payload": {
            "kind": "contact",
            "total": 1,
            "contacts": [
              {
                "name": "Carla",
                "phones": [
                  "+1 555 000 2001",
                  "+1 555 000 2002"
                ]
              }
            ]
          }
        }
      ]
    },
    "transport_session_id": "whatsapp:default"
  },
  "contacts": {
    "message_id": "3A000000000000000015",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "",
    "media": [],
    "timestamp": "2026-01-05T10:15:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000015",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767608100000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001",
      "ChannelStructuredContext": [
        {
          "label": "WhatsApp contact",
          "source": "whatsapp",
          "type": "contacts",
          "payload": {
            "kind": "contacts",
            "total": 2,
            "contacts": [
              {
                "name": "Carla",
                "phones": [
                  "+1 555 000 2001",
                  "+1 555 000 2002"
                ]
              },
              {
                "name": "Dan",
                "phones": [
                  "+1 555 000 2003"
                ]
              }
            ]
          }
        }
      ]
    },
    "transport_session_id": "whatsapp:default"
  },
  "disappearing-from-an-old-phone": {
    "message_id": "3A000000000000000017",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "For a day",
    "media": [
      {
        "type": "image",
        "mime_type": "image/jpeg",
        "file_name": null,
        "size_bytes": 323,
        "sha256": "4c0f2b2d7737dbb983f908d81ba0b770ea06607e70d88e59cdc9f91423d060cc",
        "data_base64": "/9j/2wBDACgoKCgrKC0yMi0/RDxEP11VTk5VXYxkbGRsZIzVhZuFhZuF1bzkua255Lz//+vr////////////////////////2wBDASgoKCgrKC0yMi0/RDxEP11VTk5VXYxkbGRsZIzVhZuFhZuF1bzkua255Lz//+vr////////////////////////wgARCAAIAAgDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAT/xAAVAQEBAAAAAAAAAAAAAAAAAAACBf/aAAwDAQACEAMQAAAAkApf/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPwB//8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgBAgEBPwB//8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgBAwEBPwB//9k="
      }
    ],
    "timestamp": "2026-01-05T10:17:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000017",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767608220000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "disappearing": {
    "message_id": "3A000000000000000016",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "Only for a day",
    "media": [],
    "timestamp": "2026-01-05T10:16:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000016",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767608160000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "document-with-caption": {
    "message_id": "3A000000000000000009",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "Your prices?",
    "media": [
      {
        "type": "document",
        "mime_type": "application/pdf",
        "file_name": "price-list.pdf",
        "size_bytes": 306,
        "sha256": "cb5761263705b2db57400f2fc0e7d138ea3dc64730d0abd815e977df9cc66ef9",
        "data_base64": "JVBERi0xLjQKMSAwIG9iago8PC9UeXBlL0NhdGFsb2cvUGFnZXMgMiAwIFI+PgplbmRvYmoKMiAwIG9iago8PC9UeXBlL1BhZ2VzL0tpZHNbMyAwIFJdL0NvdW50IDE+PgplbmRvYmoKMyAwIG9iago8PC9UeXBlL1BhZ2UvUGFyZW50IDIgMCBSL01lZGlhQm94WzAgMCA5IDldPj4KZW5kb2JqCnhyZWYKMCA0CjAwMDAwMDAwMDAgNjU1MzUgZiAKMDAwMDAwMDAwOSAwMDAwMCBuIAowMDAwMDAwMDU0IDAwMDAwIG4gCjAwMDAwMDAxMDUgMDAwMDAgbiAKdHJhaWxlcgo8PC9TaXplIDQvUm9vdCAxIDAgUj4+CnN0YXJ0eHJlZgoxNjYKJSVFT0YK"
      }
    ],
    "timestamp": "2026-01-05T10:09:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000009",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767607740000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "document": {
    "message_id": "3A000000000000000008",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "",
    "media": [
      {
        "type": "document",
        "mime_type": "application/pdf",
        "file_name": "price-list.pdf",
        "size_bytes": 306,
        "sha256": "cb5761263705b2db57400f2fc0e7d138ea3dc64730d0abd815e977df9cc66ef9",
        "data_base64": "JVBERi0xLjQKMSAwIG9iago8PC9UeXBlL0NhdGFsb2cvUGFnZXMgMiAwIFI+PgplbmRvYmoKMiAwIG9iago8PC9UeXBlL1BhZ2VzL0tpZHNbMyAwIFJdL0NvdW50IDE+PgplbmRvYmoKMyAwIG9iago8PC9UeXBlL1BhZ2UvUGFyZW50IDIgMCBSL01lZGlhQm94WzAgMCA5IDldPj4KZW5kb2JqCnhyZWYKMCA0CjAwMDAwMDAwMDAgNjU1MzUgZiAKMDAwMDAwMDAwOSAwMDAwMCBuIAowMDAwMDAwMDU0IDAwMDAwIG4gCjAwMDAwMDAxMDUgMDAwMDAgbiAKdHJhaWxlcgo8PC9TaXplIDQvUm9vdCAxIDAgUj4+CnN0YXJ0eHJlZgoxNjYKJSVFT0YK"
      }
    ],
    "timestamp": "2026-01-05T10:08:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000008",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767607680000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "gif": {
    "message_id": "3A000000000000000004",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "",
    "media": [
      {
        "type": "video",
        "mime_type": "video/mp4",
        "file_name": null,
        "size_bytes": 140,
        "sha256": "00710c5d64d42eb1d5e8423789f1715f822bae0013fc7345cb686285479c6b05",
        "data_base64": "AAAAGGZ0eXBtcDQyAAAAAGlzb21tcDQyAAAAdG1vb3YAAABsbXZoZAAAAAAAAAAAAAAAAAAAA+gAAAAAAAEAAAEAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
      }
    ],
    "timestamp": "2026-01-05T10:04:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000004",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767607440000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "group": {
    "message_id": "3A000000000000000035",
    "chat_id": "120363000000000001@g.us",
    "from": "+15550001001",
    "text": "Hello, is anybody there?",
    "media": [],
    "timestamp": "2026-01-05T10:35:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000035",
      "ChatType": "group",
      "ChatId": "120363000000000001@g.us",
      "GroupSubject": "Deals",
      "SenderName": "Anna",
      "Timestamp": 1767609300000,
      "Provider": "whatsapp",
      "WasMentioned": false,
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "image-in-hd-1": {
    "message_id": "3A000000000000000040",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "This one",
    "media": [
      {
        "type": "image",
        "mime_type": "image/jpeg",
        "file_name": null,
        "size_bytes": 323,
        "sha256": "4c0f2b2d7737dbb983f908d81ba0b770ea06607e70d88e59cdc9f91423d060cc",
        "data_base64": "/9j/2wBDACgoKCgrKC0yMi0/RDxEP11VTk5VXYxkbGRsZIzVhZuFhZuF1bzkua255Lz//+vr////////////////////////2wBDASgoKCgrKC0yMi0/RDxEP11VTk5VXYxkbGRsZIzVhZuFhZuF1bzkua255Lz//+vr////////////////////////wgARCAAIAAgDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAT/xAAVAQEBAAAAAAAAAAAAAAAAAAACBf/aAAwDAQACEAMQAAAAkApf/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPwB//8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgBAgEBPwB//8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgBAwEBPwB//9k="
      }
    ],
    "timestamp": "2026-01-05T10:40:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000040",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767609600000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "image-in-hd-2": {
    "message_id": "3A000000000000000041",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "",
    "media": [
      {
        "type": "image",
        "mime_type": "image/jpeg",
        "file_name": null,
        "size_bytes": 338,
        "sha256": "9d4902fcc1caae8b0925f360cc23f17992ff60be55afbeec3adf06e0edfd7b06",
        "data_base64": "/9j/2wBDACgoKCgrKC0yMi0/RDxEP11VTk5VXYxkbGRsZIzVhZuFhZuF1bzkua255Lz//+vr////////////////////////2wBDASgoKCgrKC0yMi0/RDxEP11VTk5VXYxkbGRsZIzVhZuFhZuF1bzkua255Lz//+vr////////////////////////wgARCAAIAAgDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAT/xAAVAQEBAAAAAAAAAAAAAAAAAAACBf/aAAwDAQACEAMQAAAAkApf/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPwB//8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgBAgEBPwB//8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgBAwEBPwB//9lhbmQgbW9yZSBwaXhlbHM="
      }
    ],
    "timestamp": "2026-01-05T10:41:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000041",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767609660000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "image-not-available": {
    "message_id": "3A000000000000000022",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "This one",
    "media": [
      {
        "type": "image",
        "mime_type": "image/jpeg",
        "file_name": null,
        "size_bytes": null,
        "sha256": null,
        "omitted": "the file could not be read"
      }
    ],
    "timestamp": "2026-01-05T10:22:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000022",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767608520000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "image-without-caption": {
    "message_id": "3A000000000000000002",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "",
    "media": [
      {
        "type": "image",
        "mime_type": "image/jpeg",
        "file_name": null,
        "size_bytes": 323,
        "sha256": "4c0f2b2d7737dbb983f908d81ba0b770ea06607e70d88e59cdc9f91423d060cc",
        "data_base64": "/9j/2wBDACgoKCgrKC0yMi0/RDxEP11VTk5VXYxkbGRsZIzVhZuFhZuF1bzkua255Lz//+vr////////////////////////2wBDASgoKCgrKC0yMi0/RDxEP11VTk5VXYxkbGRsZIzVhZuFhZuF1bzkua255Lz//+vr////////////////////////wgARCAAIAAgDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAT/xAAVAQEBAAAAAAAAAAAAAAAAAAACBf/aAAwDAQACEAMQAAAAkApf/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPwB//8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgBAgEBPwB//8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgBAwEBPwB//9k="
      }
    ],
    "timestamp": "2026-01-05T10:02:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000002",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767607320000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "image": {
    "message_id": "3A000000000000000001",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "This one",
    "media": [
      {
        "type": "image",
        "mime_type": "image/jpeg",
        "file_name": null,
        "size_bytes": 323,
        "sha256": "4c0f2b2d7737dbb983f908d81ba0b770ea06607e70d88e59cdc9f91423d060cc",
        "data_base64": "/9j/2wBDACgoKCgrKC0yMi0/RDxEP11VTk5VXYxkbGRsZIzVhZuFhZuF1bzkua255Lz//+vr////////////////////////2wBDASgoKCgrKC0yMi0/RDxEP11VTk5VXYxkbGRsZIzVhZuFhZuF1bzkua255Lz//+vr////////////////////////wgARCAAIAAgDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAT/xAAVAQEBAAAAAAAAAAAAAAAAAAACBf/aAAwDAQACEAMQAAAAkApf/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPwB//8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgBAgEBPwB//8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgBAwEBPwB//9k="
      }
    ],
    "timestamp": "2026-01-05T10:01:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000001",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767607260000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "live-location": {
    "message_id": "3A000000000000000013",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "On my way",
    "media": [],
    "timestamp": "2026-01-05T10:13:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000013",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767607980000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001",
      "LocationLat": 52.5201,
      "LocationLon": 13.4049,
      "LocationAccuracy": 12,
      "LocationSource": "live",
      "LocationIsLive": true,
      "LocationCaption": "On my way"
    },
    "transport_session_id": "whatsapp:default"
  },
  "location-of-a-place": {
    "message_id": "3A000000000000000012",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "",
    "media": [],
    "timestamp": "2026-01-05T10:12:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000012",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767607920000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001",
      "LocationLat": 52.5201,
      "LocationLon": 13.4049,
      "LocationName": "Hot Bags",
      "LocationAddress": "Main Street 1",
      "LocationSource": "place",
      "LocationIsLive": false
    },
    "transport_session_id": "whatsapp:default"
  },
  "location": {
    "message_id": "3A000000000000000011",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "",
    "media": [],
    "timestamp": "2026-01-05T10:11:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000011",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767607860000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001",
      "LocationLat": 52.5201,
      "LocationLon": 13.4049,
      "LocationSource": "pin",
      "LocationIsLive": false
    },
    "transport_session_id": "whatsapp:default"
  },
  "mention-of-a-whole-group": {
    "message_id": "3A000000000000000024",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "All of you: is it still there?",
    "media": [],
    "timestamp": "2026-01-05T10:24:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000024",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767608640000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "mention": {
    "message_id": "3A000000000000000036",
    "chat_id": "120363000000000001@g.us",
    "from": "+15550001001",
    "text": "@100015559990000 how much is it?",
    "media": [],
    "timestamp": "2026-01-05T10:36:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000036",
      "ChatType": "group",
      "ChatId": "120363000000000001@g.us",
      "GroupSubject": "Deals",
      "SenderName": "Anna",
      "Timestamp": 1767609360000,
      "Provider": "whatsapp",
      "WasMentioned": true,
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "poll": {
    "message_id": "3A000000000000000021",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "Which one?\n- red\n- blue",
    "media": [],
    "timestamp": "2026-01-05T10:21:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000021",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767608460000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "question-to-an-assistant": {
    "message_id": "3A000000000000000025",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "What does it cost?",
    "media": [],
    "timestamp": "2026-01-05T10:25:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000025",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767608700000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "quote-in-a-group": {
    "message_id": "3A000000000000000032",
    "chat_id": "120363000000000001@g.us",
    "from": "+15550001001",
    "text": "I do",
    "media": [],
    "timestamp": "2026-01-05T10:32:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000032",
      "ReplyToId": "3A000000000000000031",
      "ChatType": "group",
      "ChatId": "120363000000000001@g.us",
      "GroupSubject": "Deals",
      "SenderName": "Anna",
      "Timestamp": 1767609120000,
      "Provider": "whatsapp",
      "WasMentioned": false,
      "SenderE164": "+15550001001",
      "ReplyToBody": "Who has the red one?",
      "ReplyToSender": "100015550001002@lid"
    },
    "transport_session_id": "whatsapp:default"
  },
  "quote-of-a-picture": {
    "message_id": "3A000000000000000034",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "Is this one still there?",
    "media": [
      {
        "type": "image",
        "mime_type": "image/jpeg",
        "file_name": null,
        "size_bytes": 323,
        "sha256": "4c0f2b2d7737dbb983f908d81ba0b770ea06607e70d88e59cdc9f91423d060cc",
        "data_base64": "/9j/2wBDACgoKCgrKC0yMi0/RDxEP11VTk5VXYxkbGRsZIzVhZuFhZuF1bzkua255Lz//+vr////////////////////////2wBDASgoKCgrKC0yMi0/RDxEP11VTk5VXYxkbGRsZIzVhZuFhZuF1bzkua255Lz//+vr////////////////////////wgARCAAIAAgDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAT/xAAVAQEBAAAAAAAAAAAAAAAAAAACBf/aAAwDAQACEAMQAAAAkApf/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPwB//8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgBAgEBPwB//8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgBAwEBPwB//9k="
      }
    ],
    "timestamp": "2026-01-05T10:34:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000034",
      "ReplyToId": "3A000000000000000033",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767609240000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001",
      "ReplyToBody": "Mine\n<media:image>",
      "ReplyToSender": "100015550001001@lid",
      "_quoted_media": true
    },
    "transport_session_id": "whatsapp:default"
  },
  "quote": {
    "message_id": "3A000000000000000030",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "I take both",
    "media": [],
    "timestamp": "2026-01-05T10:30:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000030",
      "ReplyToId": "3EB0000000000000000000",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767609000000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001",
      "ReplyToBody": "Two left.",
      "ReplyToSender": "100015559990000@lid"
    },
    "transport_session_id": "whatsapp:default"
  },
  "sticker": {
    "message_id": "3A000000000000000010",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "",
    "media": [
      {
        "type": "sticker",
        "mime_type": "image/webp",
        "file_name": null,
        "size_bytes": 38,
        "sha256": "8596d6dd6e963f8fb92830cbfb4a16724ab8a95364d889f20f696c96e7a06c6a",
        "data_base64": "UklGRh4AAABXRUJQVlA4TBEAAAAvB8ABAAdQiCLXpf+BiOh/AAA="
      }
    ],
    "timestamp": "2026-01-05T10:10:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000010",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767607800000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "text": {
    "message_id": "3A000000000000000000",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "Is the red bag still there? 👜",
    "media": [],
    "timestamp": "2026-01-05T10:00:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000000",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767607200000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "video-note": {
    "message_id": "3A000000000000000005",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "",
    "media": [
      {
        "type": "video",
        "mime_type": "video/mp4",
        "file_name": null,
        "size_bytes": 140,
        "sha256": "00710c5d64d42eb1d5e8423789f1715f822bae0013fc7345cb686285479c6b05",
        "data_base64": "AAAAGGZ0eXBtcDQyAAAAAGlzb21tcDQyAAAAdG1vb3YAAABsbXZoZAAAAAAAAAAAAAAAAAAAA+gAAAAAAAEAAAEAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
      }
    ],
    "timestamp": "2026-01-05T10:05:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000005",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767607500000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "video": {
    "message_id": "3A000000000000000003",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "And this",
    "media": [
      {
        "type": "video",
        "mime_type": "video/mp4",
        "file_name": null,
        "size_bytes": 140,
        "sha256": "00710c5d64d42eb1d5e8423789f1715f822bae0013fc7345cb686285479c6b05",
        "data_base64": "AAAAGGZ0eXBtcDQyAAAAAGlzb21tcDQyAAAAdG1vb3YAAABsbXZoZAAAAAAAAAAAAAAAAAAAA+gAAAAAAAEAAAEAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
      }
    ],
    "timestamp": "2026-01-05T10:03:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000003",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767607380000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "view-once-image": {
    "message_id": "3A000000000000000018",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "Look",
    "media": [
      {
        "type": "image",
        "mime_type": "image/jpeg",
        "file_name": null,
        "size_bytes": 323,
        "sha256": "4c0f2b2d7737dbb983f908d81ba0b770ea06607e70d88e59cdc9f91423d060cc",
        "data_base64": "/9j/2wBDACgoKCgrKC0yMi0/RDxEP11VTk5VXYxkbGRsZIzVhZuFhZuF1bzkua255Lz//+vr////////////////////////2wBDASgoKCgrKC0yMi0/RDxEP11VTk5VXYxkbGRsZIzVhZuFhZuF1bzkua255Lz//+vr////////////////////////wgARCAAIAAgDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAT/xAAVAQEBAAAAAAAAAAAAAAAAAAACBf/aAAwDAQACEAMQAAAAkApf/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPwB//8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgBAgEBPwB//8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgBAwEBPwB//9k="
      }
    ],
    "timestamp": "2026-01-05T10:18:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000018",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767608280000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "view-once-video": {
    "message_id": "3A000000000000000019",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "",
    "media": [
      {
        "type": "video",
        "mime_type": "video/mp4",
        "file_name": null,
        "size_bytes": 140,
        "sha256": "00710c5d64d42eb1d5e8423789f1715f822bae0013fc7345cb686285479c6b05",
        "data_base64": "AAAAGGZ0eXBtcDQyAAAAAGlzb21tcDQyAAAAdG1vb3YAAABsbXZoZAAAAAAAAAAAAAAAAAAAA+gAAAAAAAEAAAEAAAAAAAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
      }
    ],
    "timestamp": "2026-01-05T10:19:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000019",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767608340000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "view-once-voice": {
    "message_id": "3A000000000000000020",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "",
    "media": [
      {
        "type": "audio",
        "mime_type": "audio/ogg; codecs=opus",
        "file_name": null,
        "size_bytes": 122,
        "sha256": "06fe66d952cb859b73968653885c2a1e80c80bace40cba8ec1e95cae383e39f9",
        "data_base64": "T2dnUwACAAAAAAAAAAABAAAAAAAAAByf9dkBE09wdXNIZWFkAQE4AYC7AAAAAABPZ2dTAAAAAAAAAAAAAAEAAAABAAAAh1hgGgEQT3B1c1RhZ3MAAAAAAAAAAE9nZ1MABMADAAAAAAAAAQAAAAIAAAApk7DdAQP4//4="
      }
    ],
    "timestamp": "2026-01-05T10:20:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000020",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767608400000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  },
  "voice": {
    "message_id": "3A000000000000000006",
    "chat_id": "+15550001001",
    "from": "+15550001001",
    "text": "",
    "media": [
      {
        "type": "audio",
        "mime_type": "audio/ogg; codecs=opus",
        "file_name": null,
        "size_bytes": 122,
        "sha256": "06fe66d952cb859b73968653885c2a1e80c80bace40cba8ec1e95cae383e39f9",
        "data_base64": "T2dnUwACAAAAAAAAAAABAAAAAAAAAByf9dkBE09wdXNIZWFkAQE4AYC7AAAAAABPZ2dTAAAAAAAAAAAAAAEAAAABAAAAh1hgGgEQT3B1c1RhZ3MAAAAAAAAAAE9nZ1MABMADAAAAAAAAAQAAAAIAAAApk7DdAQP4//4="
      }
    ],
    "timestamp": "2026-01-05T10:06:00.000Z",
    "raw": {
      "To": "+15559990000",
      "AccountId": "default",
      "MessageSid": "3A000000000000000006",
      "ChatType": "direct",
      "ChatId": "+15550001001",
      "SenderName": "Anna",
      "Timestamp": 1767607560000,
      "Provider": "whatsapp",
      "SenderE164": "+15550001001"
    },
    "transport_session_id": "whatsapp:default"
  }
} as const satisfies Record<string, InboundRequest>;

/** The body of a delivery report for each state, by its name in docs/contract/reports. */
export const reportExamples = {
  "failed": {
    "report_id": "5f0c7a52-1d3e-4b8a-9c64-0e2b7f1a3d02",
    "command_id": "9f1c",
    "message_id": "3EB0B430B6F8F1D0E053",
    "chat_id": "+15550001001",
    "state": "failed",
    "outcome": null,
    "is_partial": false,
    "whatsapp_message_id": null,
    "reason": "not a valid command: text must not be empty",
    "timestamp": "2026-01-05T10:00:02.500Z",
    "transport_session_id": "whatsapp:default"
  },
  "in-doubt": {
    "report_id": "5f0c7a52-1d3e-4b8a-9c64-0e2b7f1a3d04",
    "command_id": "9f1c",
    "message_id": "3EB0B430B6F8F1D0E053",
    "chat_id": "+15550001001",
    "state": "in_doubt",
    "outcome": null,
    "is_partial": false,
    "whatsapp_message_id": null,
    "reason": "the gateway did not answer in time",
    "timestamp": "2026-01-05T10:00:02.500Z",
    "transport_session_id": "whatsapp:default"
  },
  "resolved": {
    "report_id": "5f0c7a52-1d3e-4b8a-9c64-0e2b7f1a3d05",
    "command_id": "9f1c",
    "message_id": "3EB0B430B6F8F1D0E053",
    "chat_id": "+15550001001",
    "state": "resolved",
    "outcome": "sent",
    "is_partial": false,
    "whatsapp_message_id": null,
    "reason": null,
    "timestamp": "2026-01-05T10:07:31.000Z",
    "transport_session_id": "whatsapp:default"
  },
  "sent": {
    "report_id": "5f0c7a52-1d3e-4b8a-9c64-0e2b7f1a3d01",
    "command_id": "9f1c",
    "message_id": "3EB0B430B6F8F1D0E053",
    "chat_id": "+15550001001",
    "state": "sent",
    "outcome": null,
    "is_partial": false,
    "whatsapp_message_id": "3EB0C767D26A1D8E5F0A",
    "reason": null,
    "timestamp": "2026-01-05T10:00:02.500Z",
    "transport_session_id": "whatsapp:default"
  },
  "skipped": {
    "report_id": "5f0c7a52-1d3e-4b8a-9c64-0e2b7f1a3d03",
    "command_id": "9f1c",
    "message_id": "3EB0B430B6F8F1D0E053",
    "chat_id": "+15550001001",
    "state": "skipped",
    "outcome": null,
    "is_partial": false,
    "whatsapp_message_id": null,
    "reason": "the type \"send_image\" is not known here",
    "timestamp": "2026-01-05T10:00:02.500Z",
    "transport_session_id": "whatsapp:default"
  }
} as const satisfies Record<string, DeliveryReport>;

/** The body of an event of each type, by its name in docs/contract/events. */
export const eventExamples = {
  "downtime": {
    "event_id": "a3c1e5d0-77b4-4f0e-8d52-6b1f9c2e4a01",
    "type": "downtime",
    "from": "2026-01-05T09:12:40.000Z",
    "to": "2026-01-05T10:00:00.000Z",
    "cause": null,
    "timestamp": "2026-01-05T10:00:01.250Z",
    "transport_session_id": "whatsapp:default"
  },
  "relink-needed": {
    "event_id": "a3c1e5d0-77b4-4f0e-8d52-6b1f9c2e4a02",
    "type": "relink_needed",
    "from": "2026-01-05T09:12:40.000Z",
    "to": null,
    "cause": "logged_out",
    "timestamp": "2026-01-05T09:12:41.000Z",
    "transport_session_id": "whatsapp:default"
  },
  "relinked": {
    "event_id": "a3c1e5d0-77b4-4f0e-8d52-6b1f9c2e4a03",
    "type": "relinked",
    "from": "2026-01-05T09:12:40.000Z",
    "to": "2026-01-05T10:01:10.000Z",
    "cause": "logged_out",
    "timestamp": "2026-01-05T10:01:10.100Z",
    "transport_session_id": "whatsapp:default"
  }
} as const satisfies Record<string, BridgeEvent>;

/** Answers of the outbox, by their names in docs/contract/outbox. */
export const outboxExamples = {
  "handover": {
    "cursor": "45",
    "commands": [
      {
        "command_id": "a-1044",
        "type": "send_text",
        "text": "A colleague has read your question, and answers you now.",
        "to": "+15550001001",
        "transport_session_id": "whatsapp:default"
      },
      {
        "command_id": "a-1045",
        "type": "pause_chat",
        "for_seconds": 7200,
        "replies": "hold",
        "to": "+15550001001",
        "transport_session_id": "whatsapp:default"
      }
    ]
  },
  "late-answer": {
    "cursor": "41",
    "commands": [
      {
        "command_id": "a-1041",
        "type": "send_text",
        "text": "Your bag is ready. You can fetch it until six.",
        "to": "+15550001001",
        "transport_session_id": "whatsapp:default"
      }
    ]
  },
  "two-accounts": {
    "cursor": "43",
    "commands": [
      {
        "command_id": "a-1042",
        "type": "send_text",
        "text": "We open at ten tomorrow.",
        "to": "120363000000000001@g.us",
        "transport_session_id": "whatsapp:default"
      },
      {
        "command_id": "a-1043",
        "type": "send_text",
        "text": "Your repair is done.",
        "to": "+15550001002",
        "transport_session_id": "whatsapp:outlet"
      }
    ]
  }
} as const satisfies Record<string, OutboxAnswer>;
