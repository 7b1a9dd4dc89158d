// Made from the zod schemas by test/contract/generated.test.ts: do not edit.

export const schemas = {
  "request": {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "InboundRequest",
    "type": "object",
    "properties": {
      "message_id": {
        "type": "string",
        "pattern": "^[\\x21-\\x7e]{1,256}$",
        "description": "WhatsApp's id of the message, and the idempotency key."
      },
      "chat_id": {
        "anyOf": [
          {
            "type": "string",
            "pattern": "^\\+[1-9]\\d{6,14}$"
          },
          {
            "type": "string",
            "pattern": "^[\\d-]{5,40}@g\\.us$"
          }
        ],
        "description": "Where it was written: E.164 for a direct chat, `...@g.us` for a group."
      },
      "from": {
        "type": "string",
        "pattern": "^\\+[1-9]\\d{6,14}$",
        "description": "Who wrote it, E.164."
      },
      "text": {
        "type": "string",
        "description": "The text or caption as it was written; empty where there is none."
      },
      "media": {
        "type": "array",
        "items": {
          "type": "object",
          "properties": {
            "type": {
              "type": "string",
              "enum": [
                "image",
                "video",
                "audio",
                "document",
                "sticker",
                "unknown"
              ],
              "description": "What kind of file it is."
            },
            "mime_type": {
              "anyOf": [
                {
                  "type": "string",
                  "minLength": 1
                },
                {
                  "type": "null"
                }
              ],
              "description": "Its media type, as WhatsApp says it; null where it does not."
            },
            "file_name": {
              "description": "Its name, which the sender chose; null where it has none.",
              "type": [
                "string",
                "null"
              ]
            },
            "size_bytes": {
              "anyOf": [
                {
                  "type": "integer",
                  "minimum": 0,
                  "maximum": 9007199254740991
                },
                {
                  "type": "null"
                }
              ],
              "description": "Bytes of the file; null where nobody knows."
            },
            "sha256": {
              "anyOf": [
                {
                  "type": "string",
                  "pattern": "^[0-9a-f]{64}$"
                },
                {
                  "type": "null"
                }
              ],
              "description": "SHA-256 of the file's bytes, in lower-case hex."
            },
            "data_base64": {
              "description": "The file's bytes. Either this or `omitted` is there.",
              "type": "string",
              "contentEncoding": "base64",
              "pattern": "^$|^(?:[0-9a-zA-Z+/]{4})*(?:(?:[0-9a-zA-Z+/]{2}==)|(?:[0-9a-zA-Z+/]{3}=))?$"
            },
            "omitted": {
              "description": "Why there are no bytes: a sentence for people.",
              "type": "string",
              "minLength": 1,
              "maxLength": 256
            }
          },
          "required": [
            "type",
            "mime_type",
            "file_name",
            "size_bytes",
            "sha256"
          ],
          "description": "An attachment, with its bytes or with the reason why they are missing.",
          "title": "Attachment"
        },
        "description": "Attachments, in order."
      },
      "timestamp": {
        "type": "string",
        "format": "date-time",
        "pattern": "^(?:(?:\\d\\d[2468][048]|\\d\\d[13579][26]|\\d\\d0[48]|[02468][048]00|[13579][26]00)-02-29|\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|(?:02)-(?:0[1-9]|1\\d|2[0-8])))T(?:(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d\\.\\d{3}(?:Z))$",
        "description": "When WhatsApp got it, ISO 8601 in UTC."
      },
      "raw": {
        "type": "object",
        "propertyNames": {
          "type": "string"
        },
        "description": "What else OpenClaw knows of the message, in OpenClaw's words."
      },
      "transport_session_id": {
        "type": "string",
        "pattern": "^whatsapp:[\\w.-]{1,64}$",
        "description": "The WhatsApp account that it came by: `whatsapp:<account>`."
      }
    },
    "required": [
      "message_id",
      "chat_id",
      "from",
      "text",
      "media",
      "timestamp",
      "raw",
      "transport_session_id"
    ],
    "description": "A customer's message."
  },
  "answer": {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Answer",
    "description": "What Hot Bags answers with a 2xx. No commands: there is nothing to do.",
    "type": "object",
    "properties": {
      "commands": {
        "description": "Run in this order, in the chat that the message came from.",
        "type": "array",
        "maxItems": 100,
        "items": {
          "title": "Command",
          "anyOf": [
            {
              "title": "SendText",
              "type": "object",
              "properties": {
                "command_id": {
                  "description": "The command's own id: what has one that was seen before is not done again.",
                  "anyOf": [
                    {
                      "type": "string",
                      "minLength": 1,
                      "maxLength": 256
                    },
                    {
                      "description": "Or a whole number in digits alone, such as a Postgres bigint: 7 and \"7\" are one id.",
                      "type": "integer",
                      "minimum": 1,
                      "maximum": 9007199254740991
                    }
                  ]
                },
                "type": {
                  "type": "string",
                  "const": "send_text"
                },
                "text": {
                  "type": "string",
                  "maxLength": 65536,
                  "pattern": "\\S",
                  "description": "What the customer gets, character for character."
                },
                "reply_to": {
                  "description": "The `message_id` of the message in the same chat that the phone shows above it as quoted. One that OpenClaw does not remember (it keeps 500 for 10 minutes, in memory) is not quoted, and the reply goes out all the same. Only where `X-HotBags-Accept` has `reply_to`; else it is ignored.",
                  "type": "string",
                  "minLength": 1,
                  "maxLength": 256
                }
              },
              "required": [
                "command_id",
                "type",
                "text"
              ],
              "description": "Send a text into the chat that the message came from."
            },
            {
              "title": "PauseChat",
              "type": "object",
              "properties": {
                "command_id": {
                  "description": "The command's own id: what has one that was seen before is not done again.",
                  "anyOf": [
                    {
                      "type": "string",
                      "minLength": 1,
                      "maxLength": 256
                    },
                    {
                      "description": "Or a whole number in digits alone, such as a Postgres bigint: 7 and \"7\" are one id.",
                      "type": "integer",
                      "minimum": 1,
                      "maximum": 9007199254740991
                    }
                  ]
                },
                "type": {
                  "type": "string",
                  "const": "pause_chat"
                },
                "for_seconds": {
                  "type": "integer",
                  "minimum": 1,
                  "maximum": 604800,
                  "description": "How long, from when the bridge has the answer on."
                },
                "replies": {
                  "default": "hold",
                  "description": "What becomes of the replies that are given meanwhile: they wait, or are never sent.",
                  "type": "string",
                  "enum": [
                    "hold",
                    "skip"
                  ]
                }
              },
              "required": [
                "command_id",
                "type",
                "for_seconds"
              ],
              "description": "Let no reply out in this chat for a while, because somebody else answers there."
            },
            {
              "title": "ResumeChat",
              "type": "object",
              "properties": {
                "command_id": {
                  "description": "The command's own id: what has one that was seen before is not done again.",
                  "anyOf": [
                    {
                      "type": "string",
                      "minLength": 1,
                      "maxLength": 256
                    },
                    {
                      "description": "Or a whole number in digits alone, such as a Postgres bigint: 7 and \"7\" are one id.",
                      "type": "integer",
                      "minimum": 1,
                      "maximum": 9007199254740991
                    }
                  ]
                },
                "type": {
                  "type": "string",
                  "const": "resume_chat"
                }
              },
              "required": [
                "command_id",
                "type"
              ],
              "description": "End what `pause_chat` began."
            },
            {
              "title": "SendMedia",
              "type": "object",
              "properties": {
                "command_id": {
                  "description": "The command's own id: what has one that was seen before is not done again.",
                  "anyOf": [
                    {
                      "type": "string",
                      "minLength": 1,
                      "maxLength": 256
                    },
                    {
                      "description": "Or a whole number in digits alone, such as a Postgres bigint: 7 and \"7\" are one id.",
                      "type": "integer",
                      "minimum": 1,
                      "maximum": 9007199254740991
                    }
                  ]
                },
                "type": {
                  "type": "string",
                  "const": "send_media"
                },
                "url": {
                  "type": "string",
                  "maxLength": 2048,
                  "description": "Where the bridge gets the file: https, at most 16000000 bytes within 30 s. No address of a private network, also after up to 3 redirects."
                },
                "data_base64": {
                  "description": "The file itself, instead of `url`: one of both must be there. With it, `mime_type` must be there too. The whole answer has at most 1 MiB.",
                  "type": "string",
                  "minLength": 1,
                  "contentEncoding": "base64",
                  "pattern": "^$|^(?:[0-9a-zA-Z+/]{4})*(?:(?:[0-9a-zA-Z+/]{2}==)|(?:[0-9a-zA-Z+/]{3}=))?$"
                },
                "mime_type": {
                  "type": "string",
                  "maxLength": 160,
                  "pattern": "^[^;]+$",
                  "description": "image/jpeg, image/png, image/webp, video/mp4, audio/ogg (Opus), or what is none of image, video and audio."
                },
                "file_name": {
                  "type": "string",
                  "minLength": 1,
                  "maxLength": 255,
                  "pattern": "^[^/\\\\\\p{Cc}]+$",
                  "description": "What a document is called on the phone. OpenClaw turns blanks into underscores."
                },
                "caption": {
                  "type": "string",
                  "maxLength": 1024,
                  "pattern": "\\S",
                  "description": "What stands below the file, character for character."
                },
                "reply_to": {
                  "description": "The `message_id` of the message in the same chat that the phone shows above it as quoted. One that OpenClaw does not remember (it keeps 500 for 10 minutes, in memory) is not quoted, and the reply goes out all the same. Only where `X-HotBags-Accept` has `reply_to`; else it is ignored.",
                  "type": "string",
                  "minLength": 1,
                  "maxLength": 256
                }
              },
              "required": [
                "command_id",
                "type"
              ],
              "description": "Send a file into the chat that the message came from."
            },
            {
              "title": "React",
              "type": "object",
              "properties": {
                "command_id": {
                  "description": "The command's own id: what has one that was seen before is not done again.",
                  "anyOf": [
                    {
                      "type": "string",
                      "minLength": 1,
                      "maxLength": 256
                    },
                    {
                      "description": "Or a whole number in digits alone, such as a Postgres bigint: 7 and \"7\" are one id.",
                      "type": "integer",
                      "minimum": 1,
                      "maximum": 9007199254740991
                    }
                  ]
                },
                "type": {
                  "type": "string",
                  "const": "react"
                },
                "emoji": {
                  "type": "string",
                  "maxLength": 64,
                  "description": "One emoji, in place of an earlier one; `\"\"` takes it back."
                },
                "message_id": {
                  "description": "Which message of the customer's in the same chat. Default: the one that is answered.",
                  "type": "string",
                  "minLength": 1,
                  "maxLength": 256
                }
              },
              "required": [
                "command_id",
                "type",
                "emoji"
              ],
              "description": "Put an emoji on a message of the customer. In direct chats only."
            }
          ]
        }
      }
    }
  },
  "report": {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "DeliveryReport",
    "type": "object",
    "properties": {
      "report_id": {
        "type": "string",
        "format": "uuid",
        "pattern": "^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$",
        "description": "The report's own id, and the idempotency key."
      },
      "command_id": {
        "type": "string",
        "minLength": 1,
        "description": "Which command."
      },
      "message_id": {
        "anyOf": [
          {
            "type": "string",
            "minLength": 1
          },
          {
            "type": "null"
          }
        ],
        "description": "The message in whose answer it was; null: that can't be read."
      },
      "chat_id": {
        "anyOf": [
          {
            "type": "string",
            "pattern": "^\\+[1-9]\\d{6,14}$"
          },
          {
            "type": "string",
            "pattern": "^[\\d-]{5,40}@g\\.us$"
          }
        ],
        "description": "The chat of that message: E.164 for a direct chat, `...@g.us` for a group."
      },
      "state": {
        "type": "string",
        "enum": [
          "sent",
          "failed",
          "skipped",
          "in_doubt",
          "resolved"
        ],
        "description": "sent: WhatsApp has it. failed: it was not sent, and never will be. skipped: the same, as it was asked for. in_doubt: nobody knows whether it was sent. resolved: what was in doubt is known; see outcome."
      },
      "outcome": {
        "anyOf": [
          {
            "type": "string",
            "enum": [
              "sent",
              "failed",
              "pending"
            ]
          },
          {
            "type": "null"
          }
        ],
        "description": "Of resolved: how it ended; pending: it is still to be sent, and another report follows. Else null."
      },
      "is_partial": {
        "type": "boolean",
        "description": "Of in_doubt: a part of the text is on the phone, and no more of it comes."
      },
      "whatsapp_message_id": {
        "description": "WhatsApp's id of what was sent; null where it is not known.",
        "type": [
          "string",
          "null"
        ]
      },
      "reason": {
        "description": "Why it is not sent, or in doubt: a sentence for people.",
        "type": [
          "string",
          "null"
        ]
      },
      "timestamp": {
        "type": "string",
        "format": "date-time",
        "pattern": "^(?:(?:\\d\\d[2468][048]|\\d\\d[13579][26]|\\d\\d0[48]|[02468][048]00|[13579][26]00)-02-29|\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|(?:02)-(?:0[1-9]|1\\d|2[0-8])))T(?:(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d\\.\\d{3}(?:Z))$",
        "description": "When it became so, ISO 8601 in UTC."
      },
      "transport_session_id": {
        "type": "string",
        "pattern": "^whatsapp:[\\w.-]{1,64}$",
        "description": "The WhatsApp account that it came by: `whatsapp:<account>`."
      }
    },
    "required": [
      "report_id",
      "command_id",
      "message_id",
      "chat_id",
      "state",
      "outcome",
      "is_partial",
      "whatsapp_message_id",
      "reason",
      "timestamp",
      "transport_session_id"
    ],
    "description": "What has become of a command."
  },
  "event": {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "BridgeEvent",
    "type": "object",
    "properties": {
      "event_id": {
        "type": "string",
        "format": "uuid",
        "pattern": "^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$",
        "description": "The event's own id, and the idempotency key."
      },
      "type": {
        "type": "string",
        "enum": [
          "downtime",
          "relink_needed",
          "relinked"
        ],
        "description": "downtime: WhatsApp was away for so long that messages may be missing. relink_needed: the account is logged out or taken over, and nothing goes in or out until somebody links it again. relinked: somebody has."
      },
      "from": {
        "anyOf": [
          {
            "type": "string",
            "format": "date-time",
            "pattern": "^(?:(?:\\d\\d[2468][048]|\\d\\d[13579][26]|\\d\\d0[48]|[02468][048]00|[13579][26]00)-02-29|\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|(?:02)-(?:0[1-9]|1\\d|2[0-8])))T(?:(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d\\.\\d{3}(?:Z))$"
          },
          {
            "type": "null"
          }
        ],
        "description": "Since when, ISO 8601 in UTC; null: that is not known, for the machine's clock was set back."
      },
      "to": {
        "anyOf": [
          {
            "type": "string",
            "format": "date-time",
            "pattern": "^(?:(?:\\d\\d[2468][048]|\\d\\d[13579][26]|\\d\\d0[48]|[02468][048]00|[13579][26]00)-02-29|\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|(?:02)-(?:0[1-9]|1\\d|2[0-8])))T(?:(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d\\.\\d{3}(?:Z))$"
          },
          {
            "type": "null"
          }
        ],
        "description": "Until when; null: it lasts."
      },
      "cause": {
        "anyOf": [
          {
            "type": "string",
            "enum": [
              "logged_out",
              "replaced"
            ]
          },
          {
            "type": "null"
          }
        ],
        "description": "Of relink_needed and relinked: logged out, or taken over by another session. Else null."
      },
      "timestamp": {
        "type": "string",
        "format": "date-time",
        "pattern": "^(?:(?:\\d\\d[2468][048]|\\d\\d[13579][26]|\\d\\d0[48]|[02468][048]00|[13579][26]00)-02-29|\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|(?:02)-(?:0[1-9]|1\\d|2[0-8])))T(?:(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d\\.\\d{3}(?:Z))$",
        "description": "When it was noticed, ISO 8601 in UTC."
      },
      "transport_session_id": {
        "type": "string",
        "pattern": "^whatsapp:[\\w.-]{1,64}$",
        "description": "The WhatsApp account that it came by: `whatsapp:<account>`."
      }
    },
    "required": [
      "event_id",
      "type",
      "from",
      "to",
      "cause",
      "timestamp",
      "transport_session_id"
    ],
    "description": "Something has happened to the bridge."
  }
} as const;
