//! What a package costs: its size, the time to its first answer, its memory at rest.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::package::Package;
use crate::process::{answers, command, free_port};

/// How long a handler may take to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it is left alone before its memory is looked at.
const REST: Duration = Duration::from_secs(2);

/// The time from the start of the handler to its first answer: the median of `starts`.
///
/// # Errors
/// The handler does not start, or does not answer.
pub async fn cold_start(
    package: &Package,
    settings: &[(String, String)],
    starts: usize,
) -> io::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..starts {
        let (time, mut child) = start(package, settings).await?;
        child.kill().await?;
        times.push(time);
    }
    times.sort_unstable();
    times.get(starts / 2).copied().ok_or_else(|| io::Error::other("no starts"))
}

/// What the handler holds in memory when it has answered once and does nothing, in bytes.
///
/// # Errors
/// The handler does not start, or this machine does not tell.
pub async fn memory_at_rest(package: &Package, settings: &[(String, String)]) -> io::Result<u64> {
    let (_, mut child) = start(package, settings).await?;
    tokio::time::sleep(REST).await;
    let id = child.id().ok_or_else(|| io::Error::other("the handler has ended"))?;
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    child.kill().await?;
    let held = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = held.and_then(|held| held.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.map(|held| held * 1024).ok_or_else(|| io::Error::other("VmRSS is not told"))
}

async fn start(
    package: &Package,
    settings: &[(String, String)],
) -> io::Result<(Duration, tokio::process::Child)> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
    let mut command = command(package, settings, address.port());
    command.stdout(std::process::Stdio::null());
    let began = Instant::now();
    let mut child = command.spawn()?;
    // The host looks every 25 ms; what is measured is the handler.
    while !answers(address).await {
        if let Some(status) = child.try_wait()? {
            return Err(io::Error::other(format!("the handler ended: {status}")));
        }
        if began.elapsed() > PATIENCE {
            return Err(io::Error::other("the handler does not answer"));
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    Ok((began.elapsed(), child))
}
