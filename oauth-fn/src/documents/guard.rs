//! What stands between the fetcher and the network: it connects to addresses that this guard has
//! checked and to no others, as there is no other way for it to find one.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::fetch_error::FetchError;
use super::public_address::is_public;
use super::resolver::Resolver;

/// The only port that is connected to.
pub(super) const HTTPS_PORT: u16 = 443;

/// Resolves names, and gives none of their addresses if one of them is not public.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    /// Asked once for each connection: what it answered is what is connected to.
    pub(super) resolver: Arc<dyn Resolver>,
    /// One address that is permitted beside the public ones, with its port. Nobody deployed has
    /// one.
    pub(super) permitted: Option<SocketAddr>,
}

impl Guard {
    async fn addresses(&self, host: &str) -> Result<Vec<SocketAddr>, FetchError> {
        let resolved = self.resolver.resolve(host).await;
        let addresses = resolved.map_err(|error| FetchError::Unresolved(Arc::new(error)))?;
        addresses.into_iter().map(|address| self.check(address)).collect()
    }

    fn check(&self, address: IpAddr) -> Result<SocketAddr, FetchError> {
        match self.permitted {
            Some(permitted) if permitted.ip() == address => Ok(permitted),
            _ if is_public(address) => Ok(SocketAddr::new(address, HTTPS_PORT)),
            _ => Err(FetchError::NotPublic),
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let addresses = guard.addresses(name.as_str()).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use async_trait::async_trait;

    use super::*;

    #[derive(Debug)]
    struct Fixed(Vec<&'static str>);

    #[async_trait]
    impl Resolver for Fixed {
        async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            Ok(self.0.iter().map(|text| text.parse().unwrap()).collect())
        }
    }

    async fn addresses(
        resolved: &[&'static str],
        permitted: Option<&str>,
    ) -> Result<Vec<String>, FetchError> {
        let permitted = permitted.map(|text| text.parse().unwrap());
        let guard = Guard { resolver: Arc::new(Fixed(resolved.to_vec())), permitted };
        let addresses = guard.addresses("app.example").await?;
        Ok(addresses.iter().map(ToString::to_string).collect())
    }

    #[tokio::test]
    async fn public_addresses_are_connected_to_at_port_443() {
        let addresses = addresses(&["1.1.1.1", "2606:4700::1111"], None).await.unwrap();

        assert_eq!(addresses, ["1.1.1.1:443", "[2606:4700::1111]:443"]);
    }

    #[tokio::test]
    async fn one_address_that_is_not_public_spoils_all() {
        for resolved in [["1.1.1.1", "10.0.0.1"], ["fd00::1", "1.1.1.1"], ["127.0.0.1", "::1"]] {
            let refused = addresses(&resolved, None).await.unwrap_err();

            assert!(matches!(refused, FetchError::NotPublic), "{resolved:?}");
        }
    }

    #[tokio::test]
    async fn what_is_permitted_is_one_address_at_one_port() {
        let permitted = Some("127.0.0.1:8443");

        assert_eq!(addresses(&["127.0.0.1"], permitted).await.unwrap(), ["127.0.0.1:8443"]);
        for other in ["127.0.0.2", "::1", "::ffff:127.0.0.1", "10.0.0.1"] {
            assert!(addresses(&["127.0.0.1", other], permitted).await.is_err(), "{other}");
        }
    }
}
