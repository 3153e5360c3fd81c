//! Other clouds, and bots of one tenant.

use tidings_connector::jwt::{CallerKind, RefusalReason as Reason};
use tidings_connector::{AppType, Cloud};

use super::{Door, registration};

const OWN_TENANT: &str = "0b0b0b0b-1111-4222-8333-444444444444";

#[tokio::test]
async fn each_cloud_has_its_channel_issuer_and_caller_id() {
    let clouds = [
        (
            Cloud::public(),
            "https://api.botframework.com",
            "urn:botframework:azure",
        ),
        (
            Cloud::us_government(),
            "https://api.botframework.us",
            "urn:botframework:azureusgov",
        ),
        (
            Cloud::china(),
            "https://api.botframework.azure.cn",
            "urn:botframework:azurechina",
        ),
    ];
    let issuers = clouds.clone().map(|(_, issuer, _)| issuer);
    for (cloud, own, caller_id) in clouds {
        let door = Door::of(&registration(AppType::MultiTenant, None), cloud, |options| {
            options
        })
        .await;
        for issuer in issuers {
            let verdict = door.verdict(&door.channel().claim("iss", issuer)).await;
            if issuer == own {
                let caller = verdict.expect("its own issuer");
                assert_eq!(caller.caller_id.as_deref(), Some(caller_id));
            } else {
                assert_eq!(verdict.err(), Some(Reason::WrongIssuer), "{issuer} in {own}");
            }
        }
    }
}

#[tokio::test]
async fn a_replaced_channel_issuer_counts() {
    let mut cloud = Cloud::public();
    cloud.channel_issuer = "https://issuer.example".to_owned();
    let door = Door::of(&registration(AppType::MultiTenant, None), cloud, |options| {
        options
    })
    .await;
    let token = door.channel().claim("iss", "https://issuer.example");
    assert!(door.verdict(&token).await.is_ok());
    assert_eq!(
        door.verdict(&door.channel()).await.err(),
        Some(Reason::WrongIssuer)
    );
}

#[tokio::test]
async fn every_listed_issuer_passes_in_both_forms() {
    let door = Door::new().await;
    for (tenant, v1, v2) in [
        (
            "d6d49420-f39b-4df7-a1dc-d59a935871db",
            "sts.windows.net",
            "login.microsoftonline.com",
        ),
        (
            "f8cdef31-a31e-4b4a-93e4-5f571e91255a",
            "sts.windows.net",
            "login.microsoftonline.com",
        ),
        (
            "72f988bf-86f1-41af-91ab-2d7cd011db47",
            "sts.windows.net",
            "login.microsoftonline.com",
        ),
        (
            "69e9b82d-4842-4902-8d1e-abc5b98a55e8",
            "sts.windows.net",
            "login.microsoftonline.com",
        ),
        (
            "cab8a31a-1906-4287-a0d8-4eef66b95f6e",
            "sts.windows.net",
            "login.microsoftonline.us",
        ),
        (
            "a55a4d5b-9241-49b1-b4ff-befa8db00269",
            "sts.chinacloudapi.cn",
            "login.partner.microsoftonline.cn",
        ),
    ] {
        let token = door
            .emulator()
            .claim("iss", format!("https://{v1}/{tenant}/"))
            .claim("tid", tenant);
        assert!(door.verdict(&token).await.is_ok(), "{v1} {tenant}");
        let token = door
            .emulator_v2()
            .claim("iss", format!("https://{v2}/{tenant}/v2.0"))
            .claim("tid", tenant);
        assert!(door.verdict(&token).await.is_ok(), "{v2} {tenant}");
        for almost in [
            format!("https://{v1}/{tenant}"),
            format!("https://{v2}/{tenant}/v2.0/"),
            format!("http://{v1}/{tenant}/"),
        ] {
            let token = door.emulator().claim("iss", almost.as_str()).claim("tid", tenant);
            assert_eq!(
                door.verdict(&token).await.err(),
                Some(Reason::WrongIssuer),
                "{almost}"
            );
        }
    }
}

#[tokio::test]
async fn a_bot_of_one_tenant_also_accepts_its_own() {
    let forms = [
        format!("https://sts.windows.net/{OWN_TENANT}/"),
        format!("https://login.microsoftonline.com/{OWN_TENANT}/v2.0"),
        format!("https://login.microsoftonline.us/{OWN_TENANT}/v2.0"),
    ];
    for (app_type, is_accepted) in [
        (AppType::SingleTenant, true),
        (AppType::UserAssignedMsi, true),
        (AppType::MultiTenant, false),
    ] {
        let registration = registration(app_type, Some(OWN_TENANT));
        let door = Door::of(&registration, Cloud::public(), |options| {
            options.allowed_callers(["*"])
        })
        .await;
        for form in &forms {
            for (token, kind) in [
                (door.emulator(), CallerKind::Emulator),
                (door.emulator_v2(), CallerKind::Emulator),
                (door.skill(), CallerKind::Skill),
            ] {
                let token = token.claim("iss", form.as_str()).claim("tid", OWN_TENANT);
                let verdict = door.verdict(&token).await.map(|caller| caller.kind);
                let expected = if is_accepted {
                    Ok(kind)
                } else {
                    Err(Reason::WrongIssuer)
                };
                assert_eq!(verdict, expected, "{app_type:?} {form}");
            }
        }
        // The channel and the listed tenants stay.
        assert!(door.verdict(&door.channel()).await.is_ok());
        assert!(door.verdict(&door.emulator()).await.is_ok());
        // The tenant is the issuer's, not any of those that are known.
        let token = door.emulator().claim("tid", OWN_TENANT);
        assert_eq!(door.verdict(&token).await.err(), Some(Reason::WrongTenant));
    }
}
