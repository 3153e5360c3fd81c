//! The policy with a memory, so that a connector which is called again is not judged again.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use url::Url;

use super::{ServiceUrlError, ServiceUrlPolicy};
use crate::SendError;

/// A serviceUrl that passed the guard, in parts that are cheap to put together.
#[derive(Debug)]
pub(crate) struct ServiceUrl {
    scheme: Scheme,
    authority: Authority,
    prefix: Box<str>,
    takes_tokens: bool,
}

impl ServiceUrl {
    pub(super) fn new(scheme: Scheme, url: &Url, takes_tokens: bool) -> Result<Self, ServiceUrlError> {
        let authority =
            url.authority()
                .parse()
                .map_err(|error: http::uri::InvalidUri| ServiceUrlError::NotAUrl {
                    reason: error.to_string(),
                })?;
        Ok(Self {
            scheme,
            authority,
            prefix: url.path().trim_end_matches('/').into(),
            takes_tokens,
        })
    }

    /// Its path, without the trailing slash.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether calls to it carry a token.
    pub(crate) fn takes_tokens(&self) -> bool {
        self.takes_tokens
    }

    pub(crate) fn address(&self, path: PathAndQuery) -> Result<Uri, SendError> {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path);
        Uri::from_parts(parts)
            .map_err(|error| SendError::refused(format!("serviceUrl cannot be called: {error}")))
    }
}

/// At most so many parsed addresses are kept. A bot talks to a handful of connectors; more only come from somebody
/// who makes them up, and then parsing again is cheap enough.
const KEPT: usize = 256;

/// The guard with what it has already let through.
#[derive(Debug)]
pub(crate) struct Guard {
    policy: Arc<ServiceUrlPolicy>,
    admitted: RwLock<HashMap<Box<str>, Arc<ServiceUrl>>>,
}

impl Guard {
    pub(crate) fn new(policy: Arc<ServiceUrlPolicy>) -> Self {
        Self {
            policy,
            admitted: RwLock::default(),
        }
    }

    pub(crate) fn policy(&self) -> &ServiceUrlPolicy {
        &self.policy
    }

    pub(crate) fn admit(&self, service_url: &str) -> Result<Arc<ServiceUrl>, ServiceUrlError> {
        let admitted = self.admitted.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(service) = admitted.get(service_url) {
            return Ok(Arc::clone(service));
        }
        drop(admitted);
        let service = Arc::new(self.policy.admit(service_url)?);
        let mut admitted = self.admitted.write().unwrap_or_else(PoisonError::into_inner);
        if admitted.len() >= KEPT {
            admitted.clear();
        }
        admitted.insert(service_url.into(), Arc::clone(&service));
        Ok(service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_prefix_without_its_last_slash() {
        let prefix = |url| {
            ServiceUrlPolicy::local()
                .admit(url)
                .expect(url)
                .prefix()
                .to_owned()
        };
        assert_eq!(prefix("http://127.0.0.1"), "");
        assert_eq!(prefix("http://127.0.0.1/"), "");
        assert_eq!(prefix("http://127.0.0.1/teams/"), "/teams");
        assert_eq!(prefix("http://127.0.0.1/a/b"), "/a/b");
        assert_eq!(prefix("http://127.0.0.1/a//"), "/a");
        assert_eq!(prefix("http://127.0.0.1/a%2Fb/gr\u{fc}n/"), "/a%2Fb/gr%C3%BCn");
    }

    #[test]
    fn what_is_kept_is_bounded_and_only_what_was_admitted() {
        let guard = Guard::new(Arc::new(ServiceUrlPolicy::local()));
        for path in 0..=KEPT {
            guard.admit(&format!("http://127.0.0.1/{path}")).expect("local");
            assert!(guard.admit(&format!("http://example.com/{path}")).is_err());
        }
        assert_eq!(guard.admitted.read().expect("not poisoned").len(), 1);
        let first = guard.admit("http://127.0.0.1/x").expect("local");
        let again = guard.admit("http://127.0.0.1/x").expect("local");
        assert!(Arc::ptr_eq(&first, &again));
    }
}
