//! The README and the pages of `docs/`: their code is compiled and run with the documentation tests.

#[doc = include_str!("../../../README.md")]
struct Readme;

#[doc = include_str!("../../../docs/how-to-proactive-messaging.md")]
struct HowToProactiveMessaging;

#[doc = include_str!("../../../docs/from-botbuilder.md")]
struct FromBotbuilder;
