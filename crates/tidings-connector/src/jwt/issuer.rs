//! The issuers of the Emulator's and of other bots' tokens.

/// An issuer of Entra ID and the tenant it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Issuer {
    pub(super) name: String,
    pub(super) tenant: String,
}

/// Where a cloud's directory writes its name, in tokens of version 1.0 and 2.0.
struct Authority {
    v1: &'static str,
    v2: &'static str,
}

const PUBLIC: Authority = Authority {
    v1: "https://sts.windows.net",
    v2: "https://login.microsoftonline.com",
};
const US_GOVERNMENT: Authority = Authority {
    v1: "https://sts.windows.net",
    v2: "https://login.microsoftonline.us",
};
const CHINA: Authority = Authority {
    v1: "https://sts.chinacloudapi.cn",
    v2: "https://login.partner.microsoftonline.cn",
};

/// The tenants that issue tokens for multi-tenant bots (protocol, 3.1), and the one that the settings for China name.
const TENANTS: [(Authority, &str); 6] = [
    (PUBLIC, "d6d49420-f39b-4df7-a1dc-d59a935871db"),
    (PUBLIC, "f8cdef31-a31e-4b4a-93e4-5f571e91255a"),
    (PUBLIC, "72f988bf-86f1-41af-91ab-2d7cd011db47"),
    (PUBLIC, "69e9b82d-4842-4902-8d1e-abc5b98a55e8"),
    (US_GOVERNMENT, "cab8a31a-1906-4287-a0d8-4eef66b95f6e"),
    (CHINA, "a55a4d5b-9241-49b1-b4ff-befa8db00269"),
];

impl Issuer {
    /// The listed issuers, and those of the bot's own tenant.
    ///
    /// All clouds' are there, as in the SDKs: whose tokens pass is decided by the keys, which come from one cloud's
    /// metadata.
    pub(super) fn all(own_tenant: Option<&str>) -> Vec<Self> {
        let listed = TENANTS
            .iter()
            .flat_map(|(authority, tenant)| authority.issuers(tenant));
        let own = own_tenant.into_iter().flat_map(|tenant| {
            [PUBLIC, US_GOVERNMENT, CHINA]
                .into_iter()
                .flat_map(move |authority| authority.issuers(tenant))
        });
        listed.chain(own).collect()
    }
}

impl Authority {
    fn issuers(&self, tenant: &str) -> [Issuer; 2] {
        [
            format!("{}/{tenant}/", self.v1),
            format!("{}/{tenant}/v2.0", self.v2),
        ]
        .map(|name| Issuer {
            name,
            tenant: tenant.to_owned(),
        })
    }
}
