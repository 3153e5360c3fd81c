//! Why a connector may not be called.

use std::net::IpAddr;

use crate::SendError;

/// Why a connector may not be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceUrlError {
    /// It is not an absolute URL.
    #[error("serviceUrl is not a URL: {reason}")]
    NotAUrl {
        /// What the parser said.
        reason: String,
    },
    /// Neither `http` nor `https`.
    #[error("serviceUrl has the scheme `{scheme}`, only http and https are possible")]
    Scheme {
        /// The scheme it has.
        scheme: String,
    },
    /// There is no host in it.
    #[error("serviceUrl has no host")]
    NoHost,
    /// There is a user name or a password in it, which is used to disguise the host.
    #[error("serviceUrl holds a user name or password, which is not allowed")]
    UserInfo,
    /// There is a query or a fragment in it; endpoints cannot be put behind those.
    #[error("serviceUrl holds a query or a fragment, which is not allowed")]
    Query,
    /// Its host is not allowed.
    #[error(
        "serviceUrl points to the host `{host}`, which is not allowed: {rule}. If it is right, add the host to \
         TIDINGS_ALLOWED_SERVICE_HOSTS"
    )]
    HostNotAllowed {
        /// The host, in lower case; with its port if that is what is not allowed.
        host: String,
        /// Which hosts are.
        rule: &'static str,
    },
    /// Its host is allowed, but not without encryption.
    #[error(
        "serviceUrl points to the host `{host}` by http; it is called by https only, because it is sent a token. If \
         http is right, add the host to TIDINGS_ALLOWED_SERVICE_HOSTS"
    )]
    NotEncrypted {
        /// The host, in lower case.
        host: String,
    },
    /// Its host is allowed, but the name leads to a place where it does not belong: into this machine's own network.
    #[error(
        "serviceUrl points to the host `{host}`, whose address is {address}: {rule}. If it is right, add the host to \
         TIDINGS_ALLOWED_SERVICE_HOSTS"
    )]
    Address {
        /// The host, in lower case.
        host: String,
        /// The address that its name has.
        address: IpAddr,
        /// Which addresses it may have.
        rule: &'static str,
    },
}

impl From<ServiceUrlError> for SendError {
    fn from(error: ServiceUrlError) -> Self {
        SendError::refused(error.to_string()).with_source(error)
    }
}
