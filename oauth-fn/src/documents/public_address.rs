//! Which addresses belong to the public internet: nothing else is connected to for a stranger.
//! The lists are IANA's special-purpose registries (RFC 6890), read strictly.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 networks, each by its first address and the length of its prefix.
const SPECIAL_IPV4: [(Ipv4Addr, u32); 19] = [
    (Ipv4Addr::UNSPECIFIED, 8), // this network, and the unspecified address
    (Ipv4Addr::new(10, 0, 0, 0), 8), // private
    (Ipv4Addr::new(100, 64, 0, 0), 10), // behind the NAT of a carrier
    (Ipv4Addr::new(127, 0, 0, 0), 8), // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // Azure's own services, towards each virtual machine
    (Ipv4Addr::new(169, 254, 0, 0), 16), // link-local, and there the metadata of clouds
    (Ipv4Addr::new(172, 16, 0, 0), 12), // private
    (Ipv4Addr::new(192, 0, 0, 0), 24), // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24), // documentation
    (Ipv4Addr::new(192, 31, 196, 0), 24), // AS112
    (Ipv4Addr::new(192, 52, 193, 0), 24), // AMT
    (Ipv4Addr::new(192, 88, 99, 0), 24), // relays of 6to4
    (Ipv4Addr::new(192, 168, 0, 0), 16), // private
    (Ipv4Addr::new(192, 175, 48, 0), 24), // AS112
    (Ipv4Addr::new(198, 18, 0, 0), 15), // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24), // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4), // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4), // reserved, and broadcast
];

/// The one IPv6 network that holds public addresses. Outside it are loopback, link-local and
/// private addresses, multicast, and every form that wraps an IPv4 address but 6to4 and Teredo.
const GLOBAL_IPV6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Networks inside it that hold none.
const SPECIAL_IPV6: [(Ipv6Addr, u32); 5] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocols: Teredo, ORCHID, benchmarks
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48), // AS112
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// The upper half of an interface identifier that wraps an IPv4 address (RFC 5214 section 6.1),
/// private or global.
const ISATAP: [u32; 2] = [0x0000_5efe, 0x0200_5efe];

/// Whether `address` belongs to the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_IPV4.iter().any(|network| is_in_ipv4(address, *network)),
        IpAddr::V6(address) => {
            is_in_ipv6(address, GLOBAL_IPV6)
                && !SPECIAL_IPV6.iter().any(|network| is_in_ipv6(address, *network))
                && !is_isatap(address)
        }
    }
}

fn is_in_ipv4(address: Ipv4Addr, (first, length): (Ipv4Addr, u32)) -> bool {
    (address.to_bits() ^ first.to_bits()) >> (32 - length) == 0
}

fn is_in_ipv6(address: Ipv6Addr, (first, length): (Ipv6Addr, u32)) -> bool {
    (address.to_bits() ^ first.to_bits()) >> (128 - length) == 0
}

fn is_isatap(address: Ipv6Addr) -> bool {
    let [.., upper, lower, _, _] = address.segments();
    ISATAP.contains(&(u32::from(upper) << 16 | u32::from(lower)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(addresses: &[&str], public: bool) {
        for text in addresses {
            assert_eq!(is_public(text.parse().unwrap()), public, "{text}");
        }
    }

    #[test]
    fn an_address_of_the_public_internet_is_public_up_to_the_edge_of_every_network_that_is_not() {
        judge(
            &[
                "1.0.0.0",
                "9.255.255.255",
                "11.0.0.0",
                "100.63.255.255",
                "100.128.0.0",
                "126.255.255.255",
                "128.0.0.0",
                "168.63.129.15",
                "168.63.129.17",
                "169.253.255.255",
                "169.255.0.0",
                "172.15.255.255",
                "172.32.0.0",
                "191.255.255.255",
                "192.0.1.0",
                "192.0.3.0",
                "192.52.192.255",
                "192.52.194.0",
                "192.167.255.255",
                "192.169.0.0",
                "192.175.47.255",
                "192.175.49.0",
                "198.17.255.255",
                "198.20.0.0",
                "198.51.99.255",
                "198.51.101.0",
                "203.0.112.255",
                "203.0.114.0",
                "223.255.255.255",
            ],
            true,
        );
    }

    #[test]
    fn special_ipv4_networks_are_not_public_from_their_first_address_to_their_last() {
        judge(
            &[
                "0.0.0.0",
                "0.255.255.255",
                "10.0.0.0",
                "10.255.255.255",
                "100.64.0.0",
                "100.127.255.255",
                "127.0.0.1",
                "127.255.255.255",
                "168.63.129.16",
                "169.254.0.0",
                "169.254.169.254",
                "169.254.255.255",
                "172.16.0.0",
                "172.31.255.255",
                "192.0.0.0",
                "192.0.0.255",
                "192.0.2.1",
                "192.31.196.1",
                "192.52.193.0",
                "192.52.193.255",
                "192.88.99.1",
                "192.168.0.0",
                "192.168.255.255",
                "192.175.48.0",
                "192.175.48.255",
                "198.18.0.0",
                "198.19.255.255",
                "198.51.100.1",
                "203.0.113.255",
                "224.0.0.1",
                "239.255.255.255",
                "240.0.0.0",
                "255.255.255.255",
            ],
            false,
        );
    }

    #[test]
    fn only_global_unicast_is_public_ipv6() {
        judge(
            &[
                "2000::",
                "2001:200::1",
                "2606:4700::1111",
                "2620:4f:8001::1",
                "2a00::1",
                "3ffe:ffff::1",
            ],
            true,
        );
        judge(
            &[
                "::",
                "::1",
                "100::1",
                "1fff:ffff::1",
                "4000::1",
                "5f00::1",
                "fc00::1",
                "fdff:ffff::1",
                "fe80::1",
                "febf::1",
                "fec0::1",
                "feff::1",
                "ff02::1",
                "2001:db8::1",
                "2001:2::1",
                "2001:10::1",
                "2001:2f:ffff::1",
                "2001:1ff:ffff::1",
                "2620:4f:8000::1",
                "2620:4f:8000:ffff::1",
                "3fff::1",
                "3fff:fff:ffff::1",
            ],
            false,
        );
    }

    #[test]
    fn an_ipv6_address_that_wraps_an_ipv4_address_is_not_public_whatever_it_wraps() {
        judge(
            &[
                "::ffff:169.254.169.254",
                "::ffff:8.8.8.8",
                "::127.0.0.1",
                "::8.8.8.8",
                "::ffff:0:127.0.0.1",
                "64:ff9b::169.254.169.254",
                "64:ff9b::8.8.8.8",
                "64:ff9b:1::10.0.0.1",
                "2002:a9fe:a9fe::1",
                "2002:808:808::1",
                "2001::1",
                "2001:0:4136:e378:8000:63bf:3fff:fdd2",
                "2606:4700::5efe:10.0.0.1",
                "2606:4700::200:5efe:8.8.8.8",
                "fe80::5efe:10.0.0.1",
            ],
            false,
        );
        judge(&["2606:4700::5eff:10.0.0.1", "2606:4700:0:0:5efe::1"], true);
    }
}
