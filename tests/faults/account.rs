//! A storage account on this machine, one of whose calls can be made to go wrong.

use std::fmt::Debug;
use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use shared::azure::{Azure, AzureIdentity, Patience, StorageEndpoint, StorageService, http_client};
use shared::config::Settings;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::http::{Answer, Request};

/// What a service of an account keeps, and what it answers.
pub(crate) trait Service: Debug + Default + Send + 'static {
    const SERVICE: StorageService;
    const SETTING: &'static str;

    fn answer(&mut self, request: &Request) -> Answer;

    /// An answer with one of Azure's error codes, as this service writes it.
    fn refusal(status: u16, code: &str) -> Answer;
}

/// What a client sees of a call that goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// Half of the answer comes, then the connection ends.
    Half,
    /// The answer comes late.
    Late(Duration),
    /// Azure refuses, and asks for so many seconds of peace.
    RefusedFor(u16, u64),
    /// Azure refuses.
    Refused(u16, &'static str),
    /// The connection is reset.
    Reset,
    /// No answer comes.
    Silence,
}

/// Whether the call is carried out all the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Work {
    Done,
    Undone,
}

#[derive(Clone, Copy, Debug)]
struct Plan {
    fault: Fault,
    work: Work,
    /// How many calls go well before it.
    after: usize,
    /// How many go wrong then.
    times: usize,
}

/// A service of an account. It ends with the test.
#[derive(Debug)]
pub(crate) struct Account<S>(Arc<Inner<S>>);

#[derive(Debug)]
struct Inner<S> {
    port: u16,
    service: Mutex<S>,
    plan: Mutex<Option<Plan>>,
    calls: Mutex<Vec<Instant>>,
}

impl<S: Service> Account<S> {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let account = Self(Arc::new(Inner {
            port: listener.local_addr().unwrap().port(),
            service: Mutex::default(),
            plan: Mutex::default(),
            calls: Mutex::default(),
        }));
        let inner = Arc::clone(&account.0);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&inner).serve(stream));
            }
        });
        account
    }

    /// What the setting of this account holds.
    pub(crate) fn endpoint(&self) -> StorageEndpoint {
        let url = format!("http://127.0.0.1:{}/devstoreaccount1", self.0.port);
        let env = [(S::SETTING, url.as_str())];
        StorageEndpoint::read(&mut Settings::new(&env), S::SETTING, S::SERVICE).unwrap()
    }

    /// The next call goes wrong.
    pub(crate) fn break_once(&self, fault: Fault, work: Work) {
        self.break_after(0, fault, work);
    }

    /// The call after the next `after` ones goes wrong.
    pub(crate) fn break_after(&self, after: usize, fault: Fault, work: Work) {
        self.plan(Some(Plan { fault, work, after, times: 1 }));
    }

    /// Every call goes wrong until [`Self::mend`], and none is carried out.
    pub(crate) fn break_down(&self, fault: Fault) {
        self.plan(Some(Plan { fault, work: Work::Undone, after: 0, times: usize::MAX }));
    }

    pub(crate) fn mend(&self) {
        self.plan(None);
    }

    /// When each call came since the last plan was made.
    pub(crate) fn calls(&self) -> Vec<Instant> {
        self.0.calls.lock().unwrap().clone()
    }

    pub(crate) fn service(&self) -> MutexGuard<'_, S> {
        self.0.service.lock().unwrap()
    }

    fn plan(&self, plan: Option<Plan>) {
        *self.0.plan.lock().unwrap() = plan;
        self.0.calls.lock().unwrap().clear();
    }
}

impl<S: Service> Inner<S> {
    async fn serve(self: Arc<Self>, mut stream: TcpStream) {
        let mut buffer = Vec::new();
        while let Some(request) = Request::read(&mut stream, &mut buffer).await {
            let broken = self.note_call();
            let mut answer = Answer::new(500);
            if broken.is_none_or(|(_, work)| work == Work::Done) {
                answer = self.service.lock().unwrap().answer(&request);
            }
            let Some((fault, _)) = broken else {
                if answer.write(&mut stream).await.is_err() {
                    return;
                }
                continue;
            };
            match fault {
                Fault::Half => {
                    // A body that was never made breaks off as one that was.
                    let answer =
                        if answer.status == 500 { S::refusal(500, "Half") } else { answer };
                    let _gone = answer.write_half(&mut stream).await;
                    return;
                }
                Fault::Late(wait) => {
                    tokio::time::sleep(wait).await;
                    let _gone = answer.write(&mut stream).await;
                }
                Fault::RefusedFor(status, seconds) => {
                    let answer = S::refusal(status, "ServerBusy");
                    let answer = answer.with("retry-after", seconds.to_string());
                    let _gone = answer.write(&mut stream).await;
                }
                Fault::Refused(status, code) => {
                    let _gone = S::refusal(status, code).write(&mut stream).await;
                }
                Fault::Reset => {
                    stream.set_zero_linger().unwrap();
                    return;
                }
                Fault::Silence => std::future::pending().await,
            }
        }
    }

    fn note_call(&self) -> Option<(Fault, Work)> {
        self.calls.lock().unwrap().push(Instant::now());
        let mut plan = self.plan.lock().unwrap();
        let Plan { fault, work, after, times } = plan.as_mut()?;
        if *after > 0 {
            *after -= 1;
            return None;
        }
        if *times == 0 {
            return None;
        }
        *times -= 1;
        Some((*fault, *work))
    }
}

/// Azure, as patient as `patience` says.
pub(crate) fn azure(patience: Patience) -> Azure {
    // To make one takes long, and all accounts have ports of their own.
    static HTTP: LazyLock<reqwest::Client> = LazyLock::new(|| http_client().unwrap());
    let azure = Azure::new(&AzureIdentity::Developer, HTTP.clone()).unwrap();
    azure.with_patience(patience)
}

/// A patience that no fault but silence exhausts, on a machine however busy.
pub(crate) const PATIENT: Patience = Patience {
    deadline: Duration::from_mins(1),
    each_try: Duration::from_secs(30),
    pause: Duration::from_millis(4),
};

/// A patience that silence exhausts within a second or two.
pub(crate) const IMPATIENT: Patience = Patience {
    deadline: Duration::from_secs(2),
    each_try: Duration::from_millis(500),
    pause: Duration::from_millis(4),
};

/// How patient to be where `fault` is to come.
pub(crate) fn patience(fault: Fault) -> Patience {
    if fault == Fault::Silence { IMPATIENT } else { PATIENT }
}

/// The faults that another try may better.
pub(crate) const PASSING: [Fault; 9] = [
    Fault::Half,
    Fault::Refused(408, "OperationTimedOut"),
    Fault::Refused(429, "TooManyRequests"),
    Fault::Refused(500, "InternalError"),
    Fault::Refused(502, "BadGateway"),
    Fault::Refused(503, "ServerBusy"),
    Fault::Refused(504, "GatewayTimeout"),
    Fault::Reset,
    Fault::Silence,
];
