//! `POST /conversations/{id}/upload?userId=`: a message with files, raw (one file) or multipart.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use http::{HeaderMap, header};
use multer::{Constraints, Field, Multipart, SizeLimit};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};
use tidings_activity::{Activity, Attachment, ChannelAccount};

use crate::attachment::Upload;
use crate::body;
use crate::caller::Caller;
use crate::channel::Channel;
use crate::extract::{Ids, Parameters};
use crate::identifier::new_attachment_id;
use crate::options::Limits;
use crate::refusal::Refusal;

/// What boundaries and part headers of one multipart body may take beside its parts.
const ENVELOPE_BYTES: usize = 64 * 1024;

/// Longest file name and media type in characters.
const NAME_CHARACTERS: usize = 256;

const OCTETS: &str = "application/octet-stream";

#[derive(Debug, Deserialize)]
pub(crate) struct UploadParameters {
    #[serde(rename = "userId")]
    user_id: Option<String>,
}

/// A file as it came.
struct File {
    name: String,
    content_type: String,
    bytes: Bytes,
}

pub(crate) async fn upload(
    State(channel): State<Arc<Channel>>,
    Ids(id): Ids<String>,
    Parameters(parameters): Parameters<UploadParameters>,
    headers: HeaderMap,
    request_body: Body,
) -> Result<Json<Value>, Refusal> {
    let caller = Caller::for_conversation(&channel, &headers, &id)?;
    let conversation = channel.conversation(&id).await?;
    let content_type = text(&headers, header::CONTENT_TYPE);
    let (activity, files) = match content_type.as_deref().map(multer::parse_boundary) {
        Some(Ok(boundary)) => body::in_time(multipart(request_body, boundary, channel.limits())).await?,
        Some(Err(multer::Error::NoBoundary)) => {
            return Err(Refusal::malformed(
                "'Content-Type' is multipart but names no boundary",
            ));
        }
        _ => (
            None,
            vec![raw(request_body, &headers, content_type, channel.limits()).await?],
        ),
    };
    if files.is_empty() {
        return Err(Refusal::missing("file"));
    }
    let mut activity = activity.unwrap_or_else(|| Activity::message(""));
    if activity
        .from
        .as_ref()
        .and_then(ChannelAccount::known_id)
        .is_none()
    {
        let claimed = parameters.user_id.filter(|id| !id.is_empty());
        activity.from = claimed.map(|id| ChannelAccount {
            id: Some(id),
            ..ChannelAccount::default()
        });
    }
    let uploads = attach(&mut activity, files, &channel.options.base_url.get());
    let id = channel.post(&caller, conversation, activity, uploads).await?;
    Ok(Json(json!({ "id": id })))
}

/// The whole body is the file.
async fn raw(
    request_body: Body,
    headers: &HeaderMap,
    content_type: Option<String>,
    limits: &Limits,
) -> Result<File, Refusal> {
    let bytes = body::read(request_body, limits.upload_bytes).await?;
    if bytes.is_empty() {
        return Err(Refusal::missing("file"));
    }
    let name = text(headers, header::CONTENT_DISPOSITION).and_then(|value| file_name(&value));
    Ok(File::new(name, content_type, bytes))
}

/// One part is the activity (by its type, or DirectLineJS's field name `activity`), every other one is a
/// file.
async fn multipart(
    request_body: Body,
    boundary: String,
    limits: &Limits,
) -> Result<(Option<Activity>, Vec<File>), Refusal> {
    let whole = limits.upload_bytes + body::activity_bytes(limits) + ENVELOPE_BYTES;
    let constraints = Constraints::new().size_limit(SizeLimit::new().whole_stream(whole as u64));
    let mut parts = Multipart::with_constraints(request_body.into_data_stream(), boundary, constraints);
    let mut activity = None;
    let mut files = Vec::new();
    let mut room = limits.upload_bytes;
    while let Some(mut part) = parts
        .next_field()
        .await
        .map_err(|error| unreadable(&error, limits))?
    {
        let content_type = part.content_type().map(ToString::to_string);
        let is_activity = content_type.as_deref() == Some("application/vnd.microsoft.activity")
            || (part.name() == Some("activity") && activity.is_none());
        if is_activity {
            let json = collect(
                &mut part,
                body::activity_bytes(limits),
                limits,
                too_long_an_activity,
            )
            .await?;
            activity = Some(body::activity(&json, limits)?);
            continue;
        }
        if files.len() == limits.upload_files {
            return Err(Refusal::too_large("The upload", limits.upload_files, "files"));
        }
        let name = part.file_name().map(str::to_owned);
        let bytes = collect(&mut part, room, limits, too_large_an_upload).await?;
        room -= bytes.len();
        files.push(File::new(name, content_type, bytes));
    }
    Ok((activity, files))
}

async fn collect(
    part: &mut Field<'_>,
    most: usize,
    limits: &Limits,
    too_large: fn(&Limits) -> Refusal,
) -> Result<Bytes, Refusal> {
    let mut bytes = bytes::BytesMut::new();
    while let Some(chunk) = part.chunk().await.map_err(|error| unreadable(&error, limits))? {
        if bytes.len() + chunk.len() > most {
            return Err(too_large(limits));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

fn too_long_an_activity(limits: &Limits) -> Refusal {
    Refusal::too_large("The activity", limits.activity_characters, "characters")
}

fn too_large_an_upload(limits: &Limits) -> Refusal {
    Refusal::too_large("The upload", limits.upload_bytes, "bytes")
}

fn unreadable(error: &multer::Error, limits: &Limits) -> Refusal {
    match error {
        multer::Error::StreamSizeExceeded { .. } | multer::Error::FieldSizeExceeded { .. } => {
            too_large_an_upload(limits)
        }
        _ => Refusal::malformed(format!("The multipart body cannot be read: {error}")),
    }
}

/// Gives the activity's attachments the URLs of the files with their names; a file that none names becomes
/// one more.
fn attach(activity: &mut Activity, files: Vec<File>, base_url: &str) -> Vec<Upload> {
    let mut attachments = activity.attachments.take().unwrap_or_default();
    let mut filled = vec![false; attachments.len()];
    let mut uploads = Vec::with_capacity(files.len());
    for file in files {
        let id = new_attachment_id();
        let url = format!("{base_url}/v3/attachments/{id}/views/original");
        let place = attachments.iter().zip(&filled).position(|(attachment, filled)| {
            !filled && attachment.content.is_none() && attachment.name.as_deref() == Some(file.name.as_str())
        });
        if let Some(place) = place {
            filled[place] = true;
            let attachment = &mut attachments[place];
            attachment.content_url = Some(url);
            if attachment.content_type.as_deref().is_none_or(str::is_empty) {
                attachment.content_type = Some(file.content_type.clone());
            }
        } else {
            attachments.push(Attachment {
                content_type: Some(file.content_type.clone()),
                content_url: Some(url),
                name: Some(file.name.clone()),
                ..Attachment::default()
            });
            filled.push(true);
        }
        uploads.push(Upload {
            id,
            name: file.name,
            content_type: file.content_type,
            original: file.bytes,
            thumbnail: None,
        });
    }
    // A place for a file that did not come.
    attachments.retain(|attachment| attachment.content.is_some() || attachment.content_url.is_some());
    activity.attachments = Some(attachments);
    uploads
}

impl File {
    fn new(name: Option<String>, content_type: Option<String>, bytes: Bytes) -> Self {
        let name = name
            .map(|name| cut(&name))
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "file".to_owned());
        let content_type = content_type
            .map(|kind| cut(&kind))
            .filter(|kind| !kind.is_empty())
            .unwrap_or_else(|| {
                mime_guess::from_path(&name)
                    .first_raw()
                    .unwrap_or(OCTETS)
                    .to_owned()
            });
        Self {
            name,
            content_type,
            bytes,
        }
    }
}

fn cut(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_control())
        .take(NAME_CHARACTERS)
        .collect()
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers
        .get(name)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The file name of a `Content-Disposition`, the extended form (RFC 8187) before the plain one.
fn file_name(disposition: &str) -> Option<String> {
    let parameter = |wanted: &str| {
        disposition.split(';').skip(1).find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case(wanted)
                .then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    let extended = || {
        let value = parameter("filename*")?;
        let (_, encoded) = value.split_once("''")?;
        percent_decode_str(encoded)
            .decode_utf8()
            .ok()
            .map(|name| name.into_owned())
    };
    extended().or_else(|| parameter("filename"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_read_in_both_forms() {
        assert_eq!(
            file_name(r#"name="file"; filename="badjokeeel.jpg""#).as_deref(),
            Some("badjokeeel.jpg")
        );
        assert_eq!(
            file_name("attachment; filename=plain.txt").as_deref(),
            Some("plain.txt")
        );
        assert_eq!(
            file_name("attachment; filename=\"e.txt\"; filename*=UTF-8''%C3%A9.txt").as_deref(),
            Some("é.txt")
        );
        assert_eq!(file_name("attachment"), None);
    }

    #[test]
    fn files_fill_the_places_with_their_names_and_the_rest_is_added() {
        let mut activity = Activity::message("two");
        let place = |name: &str| Attachment {
            name: Some(name.to_owned()),
            ..Attachment::default()
        };
        activity.attachments = Some(vec![
            Attachment {
                thumbnail_url: Some("data:,".to_owned()),
                ..place("a.png")
            },
            place("never-came.png"),
        ]);
        let file = |name: &str| File::new(Some(name.to_owned()), None, Bytes::from_static(b"x"));
        let uploads = attach(&mut activity, vec![file("b.txt"), file("a.png")], "http://h");
        let attachments = activity.attachments.unwrap();
        let names: Vec<_> = attachments
            .iter()
            .map(|attachment| attachment.name.as_deref().unwrap())
            .collect();
        assert_eq!(names, ["a.png", "b.txt"]);
        assert_eq!(attachments[0].content_type.as_deref(), Some("image/png"));
        assert_eq!(attachments[0].thumbnail_url.as_deref(), Some("data:,"));
        assert_eq!(
            attachments[0].content_url.as_deref(),
            Some(format!("http://h/v3/attachments/{}/views/original", uploads[1].id).as_str())
        );
    }
}
