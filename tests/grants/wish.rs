//! What a case consists of: wishes, which become operations where there is something to do them to.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::model::{Accident, Operation, Purpose};
use crate::store::{Break, BreakKind};
use crate::system::{SeenPair, SeenSignIn, System};

/// One step of a case.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A client, a browser and a user go the way from the request to the tokens, or so many steps
    /// of it.
    Connect { client: usize, browser: usize, user: usize, steps: usize },
    /// A user signs in, for the first time or once more, and comes back.
    Return { sign_in: Index, user: usize, mishap: Mishap },
    /// Something happens, and something may befall it.
    Alone(Wish, Mishap),
    /// Two things happen to one grant at once; the bits say whose call of storage comes first.
    AtOnce { sign_in: Index, deeds: [Deed; 2], schedule: u32 },
}

/// Something that somebody wants to do.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    Authorize { client: usize, browser: usize },
    Look { request: Index, own_browser: bool },
    Decide { request: Index, own_browser: bool, allow: bool },
    ToGrant { sign_in: Index, deed: Deed },
    RevokeAll { user: usize },
    Wait { seconds: u64 },
    Disable { user: usize },
    Enable { user: usize },
}

/// What can be done to a grant. The age of a token counts back from the newest that is known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    SignIn { user: Option<usize> },
    Callback { own_browser: bool },
    Redeem { own_client: bool, verifier_is_right: bool },
    Refresh { age: usize, own_client: bool },
    RevokeRefresh { age: usize, own_client: bool },
    RevokeAccess { age: usize, own_client: bool },
    RevokeAll { user: usize },
    Call { age: usize },
    Misuse { token: Purpose, purpose: Purpose, disguise: Disguise },
}

/// How a token is made to look like another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Disguise {
    Changed,
    None,
    Renamed,
}

/// What is to befall a step; it does, if the step gets that far.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mishap {
    None,
    UpstreamAway,
    AnswerLost,
    CookiesKept,
    ClientGone { call: usize },
    StoreFails { call: usize, carried_out: bool },
    ProcessDies { call: usize, carried_out: bool },
}

impl Mishap {
    pub(crate) fn broken(self) -> Option<Break> {
        let (call, carried_out, kind) = match self {
            Self::None | Self::UpstreamAway | Self::AnswerLost | Self::CookiesKept => return None,
            Self::ClientGone { call } => (call, true, BreakKind::Waits),
            Self::StoreFails { call, carried_out } => (call, carried_out, BreakKind::Fails),
            Self::ProcessDies { call, carried_out } => (call, carried_out, BreakKind::Hangs),
        };
        Some(Break { call, carried_out, kind })
    }

    /// What befell the step, if its wire broke or did not.
    pub(crate) fn accident(self, broke: bool) -> Accident {
        match self {
            Self::UpstreamAway => Accident::UpstreamAway,
            Self::AnswerLost => Accident::AnswerLost,
            Self::CookiesKept => Accident::CookiesKept,
            Self::ClientGone { .. } if broke => Accident::ClientGone,
            Self::StoreFails { .. } if broke => Accident::StoreFailed,
            Self::ProcessDies { .. } if broke => Accident::ProcessDied,
            _ => Accident::None,
        }
    }
}

/// Cases of 5 to 30 steps.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let first = prop::collection::vec(connect(), 1..3);
    let others = prop::collection::vec(step(), 4..25);
    (first, others).prop_map(|(first, others)| first.into_iter().chain(others).collect())
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => connect(),
        2 => (any::<Index>(), 0..2_usize, mishap())
            .prop_map(|(sign_in, user, mishap)| Step::Return { sign_in, user, mishap }),
        14 => (wish(), mishap()).prop_map(|(wish, mishap)| Step::Alone(wish, mishap)),
        3 => (any::<Index>(), [racing_deed(), racing_deed()], any::<u32>())
            .prop_map(|(sign_in, deeds, schedule)| Step::AtOnce { sign_in, deeds, schedule }),
        // The commonest races, of two requests that are the same.
        2 => (any::<Index>(), racing_deed(), any::<u32>()).prop_map(|(sign_in, deed, schedule)| {
            Step::AtOnce { sign_in, deeds: [deed; 2], schedule }
        }),
    ]
}

fn connect() -> impl Strategy<Value = Step> {
    let steps = prop_oneof![1 => Just(3_usize), 1 => Just(4), 4 => Just(5)];
    (0..2_usize, 0..2_usize, 0..2_usize, steps)
        .prop_map(|(client, browser, user, steps)| Step::Connect { client, browser, user, steps })
}

fn wish() -> impl Strategy<Value = Wish> {
    const WAITS: [u64; 15] =
        [1, 29, 30, 31, 59, 60, 61, 540, 600, 3_540, 3_600, 86_400, 950_400, 1_209_600, 2_592_000];
    prop_oneof![
        3 => (0..2_usize, 0..2_usize)
            .prop_map(|(client, browser)| Wish::Authorize { client, browser }),
        1 => (any::<Index>(), mostly())
            .prop_map(|(request, own_browser)| Wish::Look { request, own_browser }),
        5 => (any::<Index>(), mostly(), mostly()).prop_map(|(request, own_browser, allow)| {
            Wish::Decide { request, own_browser, allow }
        }),
        30 => (any::<Index>(), deed()).prop_map(|(sign_in, deed)| Wish::ToGrant { sign_in, deed }),
        // Short times come often: what depends on hours needs few steps.
        5 => select(&WAITS[..7]).prop_map(|seconds| Wish::Wait { seconds }),
        2 => select(&WAITS[7..]).prop_map(|seconds| Wish::Wait { seconds }),
        1 => (0..2_usize).prop_map(|user| Wish::RevokeAll { user }),
        1 => (0..2_usize).prop_map(|user| Wish::Disable { user }),
        2 => (0..2_usize).prop_map(|user| Wish::Enable { user }),
    ]
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        2 => prop_oneof![3 => Just(Some(0)), 3 => Just(Some(1)), 1 => Just(None)]
            .prop_map(|user| Deed::SignIn { user }),
        8 => racing_deed(),
        2 => age().prop_map(|age| Deed::Call { age }),
        2 => (purpose(), purpose(), disguise()).prop_map(|(token, purpose, disguise)| {
            Deed::Misuse { token, purpose, disguise }
        }),
    ]
}

/// Deeds that change a grant.
fn racing_deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        3 => mostly().prop_map(|own_browser| Deed::Callback { own_browser }),
        3 => (mostly(), mostly()).prop_map(|(own_client, verifier_is_right)| {
            Deed::Redeem { own_client, verifier_is_right }
        }),
        8 => (age(), mostly()).prop_map(|(age, own_client)| Deed::Refresh { age, own_client }),
        1 => (age(), mostly())
            .prop_map(|(age, own_client)| Deed::RevokeRefresh { age, own_client }),
        1 => (age(), mostly()).prop_map(|(age, own_client)| Deed::RevokeAccess { age, own_client }),
        1 => (0..2_usize).prop_map(|user| Deed::RevokeAll { user }),
    ]
}

fn mishap() -> impl Strategy<Value = Mishap> {
    // Few requests make more than two; those of a callback are the most.
    let call = || prop_oneof![3 => Just(0_usize), 3 => Just(1), 2 => 2..6_usize];
    prop_oneof![
        8 => Just(Mishap::None),
        1 => Just(Mishap::UpstreamAway),
        2 => Just(Mishap::AnswerLost),
        1 => Just(Mishap::CookiesKept),
        2 => call().prop_map(|call| Mishap::ClientGone { call }),
        3 => (call(), any::<bool>())
            .prop_map(|(call, carried_out)| Mishap::StoreFails { call, carried_out }),
        2 => (call(), any::<bool>())
            .prop_map(|(call, carried_out)| Mishap::ProcessDies { call, carried_out }),
    ]
}

fn mostly() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.85)
}

fn age() -> impl Strategy<Value = usize> {
    prop_oneof![6 => Just(0_usize), 3 => Just(1), 1 => Just(2), 1 => Just(3)]
}

fn purpose() -> impl Strategy<Value = Purpose> {
    select(&[Purpose::Access, Purpose::Code, Purpose::Refresh])
}

fn disguise() -> impl Strategy<Value = Disguise> {
    select(&[Disguise::Changed, Disguise::None, Disguise::Renamed])
}

impl Wish {
    /// The operation that this comes to, and the token that is misused by it; nothing if there is
    /// nothing to do it to.
    pub(crate) fn resolve(&self, system: &System<'_>) -> Option<(Operation, Option<String>)> {
        let request = |index: Index| {
            let requests = &system.requests;
            (!requests.is_empty()).then(|| index.index(requests.len()))
        };
        let browser = |request: usize, own: bool| of_two(system.requests[request].browser, own);
        Some(match self {
            Self::Authorize { client, browser } => {
                (Operation::Authorize { client: *client, browser: *browser }, None)
            }
            Self::Look { request: index, own_browser } => {
                let request = request(*index)?;
                let browser = browser(request, *own_browser);
                (Operation::Look { request, browser }, None)
            }
            Self::Decide { request: index, own_browser, allow } => {
                let (request, allow) = (request(*index)?, *allow);
                let browser = browser(request, *own_browser);
                if allow && !system.has_room(browser) {
                    return None;
                }
                (Operation::Decide { request, browser, allow }, None)
            }
            Self::ToGrant { sign_in, deed } => return deed.resolve(*sign_in, system),
            Self::RevokeAll { user } => (Operation::RevokeAll { user: *user }, None),
            Self::Wait { seconds } => (Operation::Wait { seconds: *seconds }, None),
            Self::Disable { user } => (Operation::Disable { user: *user }, None),
            Self::Enable { user } => (Operation::Enable { user: *user }, None),
        })
    }
}

impl Deed {
    pub(crate) fn resolve(
        self,
        sign_in: Index,
        system: &System<'_>,
    ) -> Option<(Operation, Option<String>)> {
        if system.sign_ins.is_empty() {
            return None;
        }
        let sign_in = sign_in.index(system.sign_ins.len());
        let seen = &system.sign_ins[sign_in];
        let client = |own: bool| of_two(seen.client, own);
        let operation = match self {
            Self::SignIn { user } => Operation::SignIn { sign_in, user },
            Self::Callback { own_browser } => {
                seen.callback.as_ref()?;
                Operation::Callback { sign_in, browser: of_two(seen.browser, own_browser) }
            }
            Self::Redeem { own_client, verifier_is_right } => {
                seen.code.as_ref()?;
                Operation::Redeem { sign_in, client: client(own_client), verifier_is_right }
            }
            Self::Refresh { age, own_client } => {
                let (pair, _) = seen.pair(age)?;
                Operation::Refresh { sign_in, pair, client: client(own_client) }
            }
            Self::RevokeRefresh { age, own_client } => {
                let (pair, _) = seen.pair(age)?;
                Operation::RevokeRefresh { sign_in, pair, client: client(own_client) }
            }
            Self::RevokeAccess { age, own_client } => {
                let (pair, _) = seen.pair(age)?;
                Operation::RevokeAccess { sign_in, pair, client: client(own_client) }
            }
            Self::RevokeAll { user } => Operation::RevokeAll { user },
            Self::Call { age } => Operation::Call { sign_in, pair: seen.pair(age)?.0 },
            Self::Misuse { token, purpose, disguise } => {
                let token = disguise.of(seen.token(token)?, token, purpose)?;
                return Some((Operation::Misuse { purpose }, Some(token)));
            }
        };
        Some((operation, None))
    }
}

impl SeenSignIn {
    fn pair(&self, age: usize) -> Option<(usize, &SeenPair)> {
        self.pairs.iter().rev().nth(age).map(|(pair, tokens)| (*pair, tokens))
    }

    fn token(&self, kind: Purpose) -> Option<&str> {
        match kind {
            Purpose::Access => self.pair(0).map(|(_, tokens)| tokens.access.as_str()),
            Purpose::Code => self.code.as_deref(),
            Purpose::Refresh => self.pair(0).map(|(_, tokens)| tokens.refresh.as_str()),
        }
    }
}

impl Disguise {
    /// `token` so disguised; nothing if it would be what it is.
    fn of(self, token: &str, kind: Purpose, purpose: Purpose) -> Option<String> {
        let prefix = |purpose| match purpose {
            Purpose::Access => "mcp_at_",
            Purpose::Code => "mcp_ac_",
            Purpose::Refresh => "mcp_rt_",
        };
        match self {
            // In the middle: whatever is there, it is another character afterwards.
            Self::Changed => {
                let middle = token.len() / 2;
                let other = if token[middle..].starts_with('A') { "B" } else { "A" };
                Some(format!("{}{other}{}", &token[..middle], &token[middle + 1..]))
            }
            _ if kind == purpose => None,
            Self::None => Some(token.to_owned()),
            Self::Renamed => Some(token.replacen(prefix(kind), prefix(purpose), 1)),
        }
    }
}

/// A number of two, or the other one.
fn of_two(number: usize, this: bool) -> usize {
    if this { number } else { 1 - number }
}
