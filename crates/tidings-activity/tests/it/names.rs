//! The names on the wire, listed from the protocol and not from the structs.
//!
//! A name that a struct misspells still comes back as it was, by way of the extras: no other test would notice.

use std::any::type_name;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tidings_activity::{
    Activity, ActivityTreatment, AnimationCard, Attachment, AttachmentData, AttachmentInfo, AttachmentView,
    AudioCard, CardAction, CardImage, ChannelAccount, ClientInfo, ConversationAccount, ConversationMembers,
    ConversationParameters, ConversationReference, ConversationResourceResponse, ConversationsResult, Entity,
    EntityView, ErrorBody, ErrorResponse, ExpectedReplies, Extras, Fact, GeoCoordinates, HeroCard,
    InnerHttpError, InvokeResponse, MediaUrl, Mention, MessageReaction, OAuthCard, PagedMembersResult, Place,
    ProductInfo, ReceiptCard, ReceiptItem, ResourceResponse, SemanticAction, SigninCard, StreamInfo,
    SuggestedActions, TextHighlight, Thing, ThumbnailCard, ThumbnailUrl, TokenExchangeResource,
    TokenPostResource, Transcript, VideoCard, from_slice,
};

fn decoded<T: DeserializeOwned>(json: &Value) -> T {
    let name = type_name::<T>();
    from_slice(json.to_string().as_bytes()).expect(name)
}

fn assert_object<T: Serialize + DeserializeOwned>(json: &Value, extras: fn(&T) -> &Extras) {
    let (name, value) = (type_name::<T>(), decoded::<T>(json));
    let unknown = extras(&value);
    assert!(unknown.is_empty(), "{name} has no field for {unknown:?}");
    assert_eq!(serde_json::to_value(&value).expect("encodes"), *json, "{name}");
}

fn assert_entity<T: EntityView + Into<Entity>>(json: &Value, extras: fn(&T) -> &Extras) {
    let view: T = decoded::<Entity>(json).view().expect(T::KIND);
    let unknown = extras(&view);
    assert!(unknown.is_empty(), "{} has no field for {unknown:?}", T::KIND);
    let entity: Entity = view.into();
    assert_eq!(serde_json::to_value(&entity).expect("encodes"), *json);
}

macro_rules! each {
    ($assert:ident: $($Type:ident $json:tt)*) => {
        $( $assert::<$Type>(&json!($json), |value| &value.extras); )*
    };
}

// In the protocol's groups, because all names in one `json!` would exceed the recursion limit.
#[test]
fn an_activity_knows_all_its_names() {
    each! { assert_object:
        Activity {
            "type": "message", "id": "1", "timestamp": "2026-01-02T03:04:05Z",
            "localTimestamp": "2026-01-02T04:04:05+01:00", "localTimezone": "Europe/Lisbon",
            "callerId": "urn:botframework:azure", "serviceUrl": "https://example.com/", "channelId": "test",
            "from": {"id": "u"}, "recipient": {"id": "b"}, "conversation": {"id": "c"}, "replyToId": "0",
            "channelData": {"x": 1}, "entities": [{"type": "Thing"}], "locale": "pt-PT",
            "deliveryMode": "normal", "importance": "high", "expiration": "2026-01-03T00:00:00Z",
            "relatesTo": {"activityId": "0"},
        }
        Activity {
            "type": "message", "text": "t", "textFormat": "plain", "speak": "s",
            "inputHint": "expectingInput", "summary": "s", "suggestedActions": {"to": ["u"]},
            "attachments": [{"name": "a"}], "attachmentLayout": "carousel", "listenFor": ["l"],
            "textHighlights": [{"text": "t"}], "semanticAction": {"id": "s"},
        }
        Activity {
            "type": "conversationUpdate", "membersAdded": [{"id": "u"}], "membersRemoved": [{"id": "v"}],
            "reactionsAdded": [{"type": "like"}], "reactionsRemoved": [{"type": "plusOne"}],
            "topicName": "t", "historyDisclosed": true, "action": "add",
        }
        Activity {
            "type": "event", "name": "n", "value": {"x": 1}, "valueType": "v", "label": "l",
            "code": "unknown",
        }
        SuggestedActions {"to": ["u"], "actions": [{"type": "imBack"}]}
        TextHighlight {"text": "t", "occurrence": 1}
        SemanticAction {"id": "s", "state": "start", "entities": {"e": {"type": "Thing"}}}
        MessageReaction {"type": "like"}
    }
}

#[test]
fn the_addresses_know_all_their_names() {
    each! { assert_object:
        ChannelAccount {
            "id": "u", "name": "Ana", "aadObjectId": "o", "role": "user", "tenantId": "t",
            "agenticUserId": "a", "agenticAppId": "p",
        }
        ConversationAccount {
            "id": "c", "name": "n", "isGroup": false, "conversationType": "personal", "tenantId": "t",
            "aadObjectId": "o", "role": "user",
        }
        ConversationReference {
            "activityId": "1", "user": {"id": "u"}, "bot": {"id": "b"}, "conversation": {"id": "c"},
            "channelId": "test", "serviceUrl": "https://example.com/", "locale": "pt-PT",
            "deliveryMode": "normal", "requestId": "r",
        }
    }
}

#[test]
fn requests_and_answers_know_all_their_names() {
    each! { assert_object:
        ResourceResponse {"id": "1"}
        ConversationResourceResponse {"id": "c", "activityId": "1", "serviceUrl": "https://example.com/"}
        ConversationParameters {
            "isGroup": true, "bot": {"id": "b"}, "members": [{"id": "u"}], "topicName": "t", "tenantId": "t",
            "activity": {"type": "message"}, "channelData": {"x": 1},
        }
        ErrorResponse {"error": {"code": "c"}}
        ErrorBody {"code": "c", "message": "m", "innerHttpError": {"statusCode": 502}}
        InnerHttpError {"statusCode": 502, "body": {"x": 1}}
        PagedMembersResult {"continuationToken": "t", "members": [{"id": "u"}]}
        ConversationsResult {"continuationToken": "t", "conversations": [{"id": "c"}]}
        ConversationMembers {"id": "c", "members": [{"id": "u"}]}
        ExpectedReplies {"activities": [{"type": "message"}]}
        Transcript {"activities": [{"type": "message"}]}
    }
}

#[test]
fn an_invoke_response_loses_none_of_its_names() {
    let json = json!({"status": 200, "body": {"x": 1}});
    let response: InvokeResponse = decoded(&json);
    assert_eq!(serde_json::to_value(&response).expect("encodes"), json);
}

#[test]
fn attachments_know_all_their_names() {
    each! { assert_object:
        Attachment {
            "contentType": "image/png", "contentUrl": "https://example.com/a.png", "content": {"x": 1},
            "name": "a.png", "thumbnailUrl": "https://example.com/t.png",
        }
        AttachmentData {
            "type": "image/png", "name": "a.png", "originalBase64": "AA==", "thumbnailBase64": "AA==",
        }
        AttachmentInfo {"name": "a.png", "type": "image/png", "views": [{"viewId": "original"}]}
        AttachmentView {"viewId": "original", "size": 12}
    }
}

#[test]
fn cards_and_their_parts_know_all_their_names() {
    each! { assert_object:
        CardAction {
            "type": "messageBack", "title": "t", "image": "i", "imageAltText": "a", "text": "x",
            "displayText": "d", "value": {"x": 1}, "channelData": {"x": 1},
        }
        CardImage {"url": "u", "alt": "a", "tap": {"type": "openUrl"}}
        ThumbnailUrl {"url": "u", "alt": "a"}
        MediaUrl {"url": "u", "profile": "p"}
        Fact {"key": "k", "value": "v"}
        ReceiptItem {
            "title": "t", "subtitle": "s", "text": "x", "image": {"url": "u"}, "price": "9 EUR",
            "quantity": "1", "tap": {"type": "openUrl"},
        }
        TokenExchangeResource {"id": "1", "uri": "u", "providerId": "p"}
        TokenPostResource {"sasUrl": "s"}
        HeroCard {
            "title": "t", "subtitle": "s", "text": "x", "images": [{"url": "u"}],
            "buttons": [{"type": "imBack"}], "tap": {"type": "openUrl"},
        }
        ThumbnailCard {
            "title": "t", "subtitle": "s", "text": "x", "images": [{"url": "u"}],
            "buttons": [{"type": "imBack"}], "tap": {"type": "openUrl"},
        }
        ReceiptCard {
            "title": "t", "facts": [{"key": "k"}], "items": [{"title": "t"}], "tap": {"type": "openUrl"},
            "total": "9 EUR", "tax": "1 EUR", "vat": "2 EUR", "buttons": [{"type": "imBack"}],
        }
        SigninCard {"text": "x", "buttons": [{"type": "signin"}]}
        OAuthCard {
            "text": "x", "connectionName": "c", "buttons": [{"type": "signin"}],
            "tokenExchangeResource": {"id": "1"}, "tokenPostResource": {"sasUrl": "s"},
        }
    }
}

#[test]
fn the_cards_that_play_know_all_their_names() {
    macro_rules! each_media_card {
        ($($Type:ident)*) => {
            each! { assert_object: $(
                $Type {
                    "title": "t", "subtitle": "s", "text": "x", "image": {"url": "u"},
                    "media": [{"url": "u"}], "buttons": [{"type": "imBack"}], "shareable": true,
                    "autoloop": true, "autostart": false, "aspect": "16:9", "duration": "PT2M",
                    "value": {"x": 1},
                }
            )* }
        };
    }
    each_media_card! { AnimationCard AudioCard VideoCard }
}

#[test]
fn entities_know_all_their_names() {
    each! { assert_entity:
        Mention {"type": "mention", "mentioned": {"id": "u"}, "text": "@Ana"}
        Place {
            "type": "Place", "name": "Office", "address": "1 Quay St", "geo": {"type": "GeoCoordinates"},
            "hasMap": "https://example.com/map",
        }
        GeoCoordinates {
            "type": "GeoCoordinates", "name": "Quay", "elevation": 2.5, "latitude": 38.5,
            "longitude": -28.25,
        }
        Thing {"type": "Thing", "name": "Lamp"}
        ClientInfo {
            "type": "clientInfo", "locale": "pt-PT", "country": "PT", "platform": "Windows",
            "timezone": "Europe/Lisbon",
        }
        StreamInfo {
            "type": "streaminfo", "streamId": "s", "streamSequence": 3, "streamType": "final",
            "streamResult": "success",
        }
        ProductInfo {"type": "ProductInfo", "id": "COPILOT"}
        ActivityTreatment {"type": "activityTreatment", "treatment": "targeted"}
    }
}
