//! What a token must say. Pure: the keys are somebody else's.

use std::collections::HashSet;

use super::caller::CallerKind;
use super::facts::Facts;
use super::issuer::Issuer;
use super::refusal::RefusalReason;
use super::token::Claims;

/// So many seconds may clocks differ (protocol, 3.1). A token is still good in the last of them.
pub(super) const SKEW: f64 = 300.0;

/// The table of protocol, section 3.1, for one bot.
#[derive(Debug)]
pub(super) struct Rules {
    app_id: String,
    channel_issuer: String,
    issuers: Vec<Issuer>,
    callers: AllowedCallers,
}

/// The bots that may call this one.
#[derive(Clone, Debug)]
pub(super) enum AllowedCallers {
    Everybody,
    /// App ids in lower case.
    Listed(HashSet<String>),
}

impl AllowedCallers {
    pub(super) fn nobody() -> Self {
        Self::Listed(HashSet::new())
    }

    fn include(&self, app_id: &str) -> bool {
        match self {
            Self::Everybody => true,
            Self::Listed(ids) => ids.contains(&app_id.to_ascii_lowercase()),
        }
    }
}

impl Rules {
    pub(super) fn new(
        app_id: &str,
        channel_issuer: &str,
        own_tenant: Option<&str>,
        callers: AllowedCallers,
    ) -> Self {
        Self {
            app_id: app_id.to_owned(),
            channel_issuer: channel_issuer.to_owned(),
            issuers: Issuer::all(own_tenant),
            callers,
        }
    }

    /// Everything that can be seen without the key. What sort of caller the token claims is decided first, and by
    /// that what it has to say.
    ///
    /// The cheap questions come before the key, so that a token which could not pass anyway never makes us ask the
    /// issuer for one.
    pub(super) fn screen(
        &self,
        claims: &Claims,
        facts: Facts<'_>,
        now: f64,
    ) -> Result<CallerKind, RefusalReason> {
        let kind = self.claimed_kind(claims);
        match kind {
            CallerKind::Channel => {
                if claims.iss.as_deref() != Some(&self.channel_issuer) {
                    return Err(RefusalReason::WrongIssuer);
                }
            }
            CallerKind::Emulator => {
                self.check_issuer(claims)?;
                self.check_own_app(claims)?;
            }
            CallerKind::Skill => self.check_issuer(claims)?,
        }
        self.check_audience(claims)?;
        check_time(claims, now)?;
        if kind == CallerKind::Channel {
            check_origin(claims, facts)?;
        }
        Ok(kind)
    }

    /// What is left to ask when the signature is proven.
    pub(super) fn admit(
        &self,
        kind: CallerKind,
        claims: &Claims,
        facts: Facts<'_>,
        endorsements: &[String],
    ) -> Result<(), RefusalReason> {
        match kind {
            CallerKind::Channel => {
                let channel = facts.channel_id.unwrap_or_default();
                if !endorsements.iter().any(|endorsed| endorsed == channel) {
                    return Err(RefusalReason::NotEndorsed);
                }
            }
            CallerKind::Emulator => {}
            CallerKind::Skill => {
                let caller = claimed_app(claims)?.ok_or(RefusalReason::NoAppId)?;
                if !self.callers.include(caller) {
                    return Err(RefusalReason::CallerNotAllowed);
                }
            }
        }
        Ok(())
    }

    /// A bot's token names a version, an audience that is not the channel, and an app that is not the audience; the
    /// Emulator's is one of the directory's otherwise; and all else must be a channel's.
    fn claimed_kind(&self, claims: &Claims) -> CallerKind {
        let is_of_directory = claims
            .iss
            .as_deref()
            .is_some_and(|name| self.issuers.iter().any(|issuer| issuer.name == name));
        let audience = filled(claims.aud.as_deref()).filter(|audience| *audience != self.channel_issuer);
        let is_skill = match (filled(claims.ver.as_deref()), audience, claimed_app(claims)) {
            (Some(_), Some(audience), Ok(Some(app))) => !app_of(audience).eq_ignore_ascii_case(app),
            _ => false,
        };
        if is_skill {
            CallerKind::Skill
        } else if is_of_directory {
            CallerKind::Emulator
        } else {
            CallerKind::Channel
        }
    }

    fn check_issuer(&self, claims: &Claims) -> Result<(), RefusalReason> {
        let name = claims.iss.as_deref().ok_or(RefusalReason::WrongIssuer)?;
        let issuer = self
            .issuers
            .iter()
            .find(|issuer| issuer.name == name)
            .ok_or(RefusalReason::WrongIssuer)?;
        // The issuer's name holds the tenant, so a token without `tid` says no less.
        match claims.tid.as_deref() {
            Some(tenant) if !tenant.eq_ignore_ascii_case(&issuer.tenant) => Err(RefusalReason::WrongTenant),
            _ => Ok(()),
        }
    }

    fn check_own_app(&self, claims: &Claims) -> Result<(), RefusalReason> {
        let app = claimed_app(claims)?.ok_or(RefusalReason::NoAppId)?;
        if app.eq_ignore_ascii_case(&self.app_id) {
            Ok(())
        } else {
            Err(RefusalReason::WrongAppId)
        }
    }

    /// Asked of every kind. Without it a token that this bot once sent to a channel would come back as the Emulator's.
    fn check_audience(&self, claims: &Claims) -> Result<(), RefusalReason> {
        let audience = filled(claims.aud.as_deref()).ok_or(RefusalReason::NoAudience)?;
        if app_of(audience).eq_ignore_ascii_case(&self.app_id) {
            Ok(())
        } else {
            Err(RefusalReason::WrongAudience)
        }
    }
}

/// The app that a token of the directory was given to. The claim's name depends on the token's version.
fn claimed_app(claims: &Claims) -> Result<Option<&str>, RefusalReason> {
    match claims.ver.as_deref().unwrap_or_default() {
        "" | "1.0" => Ok(filled(claims.appid.as_deref())),
        "2.0" => Ok(filled(claims.azp.as_deref())),
        _ => Err(RefusalReason::UnsupportedVersion),
    }
}

/// The app id in an audience: newer SDKs write it as `api://<id>` or `api://botid-<id>` too.
fn app_of(audience: &str) -> &str {
    match audience.strip_prefix("api://") {
        Some(rest) => rest.strip_prefix("botid-").unwrap_or(rest),
        None => audience,
    }
}

fn check_time(claims: &Claims, now: f64) -> Result<(), RefusalReason> {
    let expiry = claims.exp.ok_or(RefusalReason::NoExpiry)?;
    if now > expiry + SKEW {
        return Err(RefusalReason::Expired);
    }
    match claims.nbf {
        Some(start) if now < start - SKEW => Err(RefusalReason::NotYetValid),
        _ => Ok(()),
    }
}

/// Whether the channel's token was made for where the activity says that it comes from.
fn check_origin(claims: &Claims, facts: Facts<'_>) -> Result<(), RefusalReason> {
    filled(facts.channel_id).ok_or(RefusalReason::NoChannelId)?;
    let service_url = filled(facts.service_url).ok_or(RefusalReason::NoServiceUrl)?;
    let claim = filled(claims.serviceurl.as_deref()).ok_or(RefusalReason::NoServiceUrlClaim)?;
    if is_same_service(claim, service_url) {
        Ok(())
    } else {
        Err(RefusalReason::WrongServiceUrl)
    }
}

/// Upper and lower case are one, as in .NET. So are the forms with and without a slash at the end: both lead to the
/// same connector.
fn is_same_service(one: &str, other: &str) -> bool {
    let bare = |url: &'_ str| url.strip_suffix('/').unwrap_or(url).len();
    one[..bare(one)].eq_ignore_ascii_case(&other[..bare(other)])
}

fn filled(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_the_same_in_any_case_and_with_a_slash() {
        for other in ["https://smba.example/Teams", "HTTPS://SMBA.example/teams/"] {
            assert!(is_same_service("https://smba.example/teams", other), "{other}");
            assert!(is_same_service(other, "https://smba.example/teams/"), "{other}");
        }
        for other in [
            "https://smba.example/teams//",
            "https://smba.example/team",
            "https://smba.example",
            "http://smba.example/teams",
            "https://smba.example/teams?x",
            "/",
        ] {
            assert!(!is_same_service("https://smba.example/teams", other), "{other}");
        }
    }

    #[test]
    fn an_audience_has_three_forms() {
        for audience in ["id", "api://id", "api://botid-id"] {
            assert_eq!(app_of(audience), "id");
        }
        for audience in [
            "botid-id",
            "API://id",
            "api://botid-botid-id",
            "api://api://id",
            "api:/id",
        ] {
            assert_ne!(app_of(audience), "id", "{audience}");
        }
    }

    #[test]
    fn issuers_have_two_forms_for_each_tenant() {
        let names: Vec<_> = Issuer::all(None).into_iter().map(|issuer| issuer.name).collect();
        assert_eq!(names.len(), 12);
        for name in [
            "https://sts.windows.net/d6d49420-f39b-4df7-a1dc-d59a935871db/",
            "https://login.microsoftonline.com/f8cdef31-a31e-4b4a-93e4-5f571e91255a/v2.0",
            "https://sts.windows.net/cab8a31a-1906-4287-a0d8-4eef66b95f6e/",
            "https://login.microsoftonline.us/cab8a31a-1906-4287-a0d8-4eef66b95f6e/v2.0",
            "https://sts.chinacloudapi.cn/a55a4d5b-9241-49b1-b4ff-befa8db00269/",
        ] {
            assert!(names.iter().any(|known| known == name), "{name}");
        }
        assert!(!names.iter().any(|name| name.contains("/own/")));
        let own = Issuer::all(Some("own"));
        for name in [
            "https://sts.windows.net/own/",
            "https://login.microsoftonline.com/own/v2.0",
        ] {
            assert!(
                own.iter()
                    .any(|issuer| issuer.name == name && issuer.tenant == "own")
            );
        }
    }
}
