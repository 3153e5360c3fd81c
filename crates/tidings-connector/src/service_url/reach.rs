//! Which addresses a host may have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a connection to an allowed host may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// This machine only.
    Loopback,
    /// The public internet only.
    Public,
    /// Anywhere: the operator has named the host.
    Anywhere,
}

impl Reach {
    pub(crate) fn admits(self, address: IpAddr) -> bool {
        match self {
            Self::Loopback => address.is_loopback(),
            Self::Public => match address {
                IpAddr::V4(address) => is_public_v4(address),
                IpAddr::V6(address) => is_public_v6(address),
            },
            Self::Anywhere => true,
        }
    }

    /// What is said about an address that is not admitted.
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::Loopback => "it may only be this machine",
            Self::Public | Self::Anywhere => "no private or special address is called",
        }
    }
}

/// The blocks of IPv4 that are not the public internet (IANA's special-purpose registry, RFC 6890 and its successors).
const SPECIAL_V4: [([u8; 4], u32); 17] = [
    // "This network"; Linux takes 0.0.0.0 as itself.
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    // Shared by carriers (CGNAT), and used inside clouds and VPNs.
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    // Link-local; the clouds' metadata services.
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    // Documentation.
    ([192, 0, 2, 0], 24),
    // The old 6to4 relays.
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    // Benchmarks of network devices.
    ([198, 18, 0, 0], 15),
    // Documentation.
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    // Multicast.
    ([224, 0, 0, 0], 4),
    // Reserved, and broadcast.
    ([240, 0, 0, 0], 4),
    // Looks public, but inside Azure it is the host's own service.
    ([168, 63, 129, 16], 32),
    // The same in Alibaba's cloud, inside 100.64/10; named so that nobody trims that block.
    ([100, 100, 100, 200], 32),
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    !SPECIAL_V4
        .iter()
        .any(|&(block, length)| (bits ^ u32::from(Ipv4Addr::from(block))) >> (32 - length) == 0)
}

/// Of IPv6 only `2000::/3` is the public internet, and not all of it; and some addresses are IPv4 ones in disguise.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (a, b, c, d, e, f) {
        // ::ffff:0:0/96, IPv4-mapped.
        (0, 0, 0, 0, 0, 0xffff) => is_public_v4(v4(g, h)),
        // 64:ff9b::/96, NAT64: what a name server makes of an IPv4 address in a network that has only IPv6.
        (0x64, 0xff9b, 0, 0, 0, 0) => is_public_v4(v4(g, h)),
        // 2002::/16, 6to4.
        (0x2002, ..) => is_public_v4(v4(b, c)),
        // 2001::/23: protocols of the IETF, Teredo among them, which holds an IPv4 address too.
        (0x2001, 0..0x200, ..) => false,
        // 2001:db8::/32 and 3fff::/20: documentation.
        (0x2001, 0xdb8, ..) | (0x3fff, 0..0x1000, ..) => false,
        _ => a >> 13 == 0b001,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(address: &str) -> bool {
        Reach::Public.admits(address.parse().expect(address))
    }

    #[test]
    fn only_the_internet_is_public() {
        for address in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.0.0",
            "169.254.169.254",
            "169.254.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.0",
            "239.255.255.255",
            "240.0.0.0",
            "255.255.255.255",
            "168.63.129.16",
            "100.100.100.200",
            "::",
            "::1",
            "::2",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "fc00::",
            "fdff::1",
            "ff02::1",
            "2001::1",
            "2001:1ff::1",
            "2001:db8::1",
            "3fff:fff::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::10.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "2002:a00:1::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::",
            "1fff::1",
            "4000::1",
            "100::1",
            "5f00::1",
        ] {
            assert!(!public(address), "{address}");
        }
        for address in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "168.63.129.15",
            "168.63.129.17",
            "52.112.0.1",
            "2000::1",
            "2001:200::1",
            "2001:db7::1",
            "2001:db9::1",
            "2603:1063::1",
            "3ffe::1",
            "3fff:1000::1",
            "::ffff:52.112.0.1",
            "64:ff9b::52.112.0.1",
            "2002:3470:1::",
        ] {
            assert!(public(address), "{address}");
        }
    }

    #[test]
    fn loopback_is_this_machine_and_anywhere_is_anywhere() {
        for (address, here) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("10.0.0.1", false),
            ("8.8.8.8", false),
            ("::", false),
        ] {
            let address = address.parse().expect(address);
            assert_eq!(Reach::Loopback.admits(address), here, "{address}");
            assert!(Reach::Anywhere.admits(address), "{address}");
        }
    }
}
