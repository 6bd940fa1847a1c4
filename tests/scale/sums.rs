//! The arithmetic of docs/scale.md: what so many users ask for at their busiest, and what a month of it
//! costs. Each figure has its source beside it, and stands in the document.

use std::time::Duration;

use oauth_fn::grant::{ACCESS_TOKEN_LIFETIME, SESSION_LIFETIME};

use crate::formulas::{cache_hit, looks, mailboxes, stream_lifetime};

// What users do: assumed.
/// Calls of `/mcp` by a user on a working day.
pub(crate) const CALLS: f64 = 50.0;
/// Hours of such a day in which a client needs an access token that is good.
const HOURS: f64 = 5.0;
/// Sign-ins of a user in a month: two clients, whose sessions end after a month.
const SIGN_INS: f64 = 2.0;
/// Working days of a month.
pub(crate) const DAYS: f64 = 22.0;
/// Seconds of a working day in which there is anything to do.
const DAY: f64 = 36_000.0;
/// The part of a day that falls into its busiest second: a fifth into an hour, and within that hour
/// twice the mean.
const PEAK: f64 = 0.2 / 3600.0 * 2.0;
/// Calls of a user a second while an agent works for them.
const RATE: f64 = 0.1;
/// Users of whom one holds a stream of HTTP+SSE.
const USERS_OF_A_STREAM: f64 = 100.0;
/// The part of calls that ask for a snippet.
pub(crate) const OF_SNIPPETS: f64 = 0.5;

// What an instance does.
/// Seconds of processor for a call of `/mcp`: 50 µs of ours, measured, and 200 of the host, believed.
const OF_A_CALL: f64 = 250e-6;
/// Likewise for a request to oauth-fn: 400 µs of ours, of which 120 to 180 were measured (a fifth of a
/// sign-in), as the way to Entra ID over TLS costs more than the one that was measured.
const OF_A_SIGN_IN_STEP: f64 = 600e-6;
/// Processors of an instance of 512 MB: believed.
const PROCESSORS: f64 = 0.25;
/// How busy they may be.
const BUSY: f64 = 0.6;
/// `mcpRequestsPerInstance`, each stream one.
pub(crate) const STREAMS_OF_AN_INSTANCE: f64 = 500.0;

// What Azure allows: believed.
/// Calls of one storage account a second.
const OF_AN_ACCOUNT: f64 = 20_000.0;
/// Requests of a unit of API Management a second.
const OF_A_UNIT: f64 = 1_000.0;

/// What is asked of a system, and what it needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) users: f64,
    pub(crate) settings: Settings,
}

/// What was turned for so many users.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// `apimSamplingPercentage`, as a part.
    pub(crate) gateway_sample: f64,
    /// `TRACE_RATIO`.
    pub(crate) trace_ratio: f64,
    /// `DAILY_TELEMETRY_GB`.
    pub(crate) daily_cap: f64,
}

/// What is asked for in a month.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Month {
    pub(crate) calls: f64,
    pub(crate) refreshes: f64,
    pub(crate) sign_ins: f64,
}

impl Month {
    /// What passes API Management and is executed; a sign-in takes five requests.
    pub(crate) fn requests(self) -> f64 {
        self.calls + self.oauth_requests()
    }

    /// What of it is for oauth-fn.
    pub(crate) fn oauth_requests(self) -> f64 {
        self.refreshes + 5.0 * self.sign_ins
    }
}

impl Load {
    /// A month of it.
    pub(crate) fn month(self) -> Month {
        Month {
            calls: self.users * CALLS * DAYS,
            refreshes: self.users * refreshes_of_a_day() * DAYS,
            sign_ins: self.users * SIGN_INS,
        }
    }

    /// Seconds of a month in which there is anything to do.
    pub(crate) const WORKING: f64 = DAYS * DAY;

    /// Calls of `/mcp` a second, at the busiest.
    pub(crate) fn calls(self) -> f64 {
        self.users * CALLS * PEAK
    }

    /// Users for whom an agent works at that moment.
    pub(crate) fn active(self) -> f64 {
        self.calls() / RATE
    }

    /// Refreshes a second, at the busiest.
    pub(crate) fn refreshes(self) -> f64 {
        self.users * refreshes_of_a_day() * PEAK
    }

    /// Sign-ins a second, at the busiest.
    pub(crate) fn sign_ins(self) -> f64 {
        self.users * SIGN_INS / DAYS * PEAK
    }

    /// Rows of sessions: one for each sign-in, which stays until the week is over in which its session
    /// ends. Each has another one beside it, in the partition of its user.
    pub(crate) fn sessions(self) -> f64 {
        let days = SESSION_LIFETIME.as_secs_f64() / 86_400.0 + 3.5;
        self.month().sign_ins / 30.0 * days
    }

    /// Open streams of HTTP+SSE.
    pub(crate) fn streams(self) -> f64 {
        self.users / USERS_OF_A_STREAM
    }

    /// Instances of mcp-fn at the busiest.
    pub(crate) fn mcp_instances(self) -> f64 {
        let for_calls = self.calls() / calls_of_an_instance();
        for_calls.max(self.streams() / STREAMS_OF_AN_INSTANCE).ceil().max(1.0)
    }

    /// Instances of oauth-fn at the busiest.
    pub(crate) fn oauth_instances(self) -> f64 {
        (self.oauth_requests() / oauth_requests_of_an_instance()).ceil().max(1.0)
    }

    fn oauth_requests(self) -> f64 {
        self.refreshes() + 5.0 * self.sign_ins()
    }

    /// The part of calls whose session is known.
    pub(crate) fn known(self) -> f64 {
        cache_hit(RATE, self.mcp_instances(), self.active())
    }

    /// Calls of the account of the sessions: what is not known, two for a refresh, four for a sign-in.
    pub(crate) fn session_calls(self) -> f64 {
        self.calls() * (1.0 - self.known()) + 2.0 * self.refreshes() + 4.0 * self.sign_ins()
    }

    /// Looks of all instances into the relay a second.
    pub(crate) fn relay_looks(self) -> f64 {
        let holding = (self.streams() / STREAMS_OF_AN_INSTANCE).ceil();
        let held = self.streams() / holding;
        holding * looks(Duration::ZERO, mailboxes(holding, held, stream_lifetime()))
    }

    /// Calls of the account of mcp-fn: snippets, looks, and two for each answer that goes to the stream
    /// of another instance.
    pub(crate) fn mcp_account_calls(self) -> f64 {
        let elsewhere = 1.0 - 1.0 / self.mcp_instances();
        let relayed = self.calls() / USERS_OF_A_STREAM * elsewhere;
        self.calls() * OF_SNIPPETS + self.relay_looks() + 2.0 * relayed
    }

    /// Units of API Management.
    pub(crate) fn units(self) -> f64 {
        ((self.calls() + self.oauth_requests()) / OF_A_UNIT).ceil()
    }
}

fn refreshes_of_a_day() -> f64 {
    HOURS * 3600.0 / ACCESS_TOKEN_LIFETIME.as_secs_f64()
}

/// Calls of `/mcp` a second that keep an instance as busy as it may be.
pub(crate) fn calls_of_an_instance() -> f64 {
    PROCESSORS * BUSY / OF_A_CALL
}

/// Requests to oauth-fn a second that do so.
pub(crate) fn oauth_requests_of_an_instance() -> f64 {
    PROCESSORS * BUSY / OF_A_SIGN_IN_STEP
}

/// Whether a storage account takes so many calls a second.
pub(crate) fn an_account_takes(calls: f64) -> bool {
    calls <= OF_AN_ACCOUNT
}
