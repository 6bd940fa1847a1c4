//! What a month costs in US dollars, item by item. Prices are list prices of 2026, believed.

use crate::sums::{
    DAYS, Load, OF_SNIPPETS, STREAMS_OF_AN_INSTANCE, calls_of_an_instance,
    oauth_requests_of_an_instance,
};

/// Of a million executions.
const EXECUTIONS: f64 = 0.40;
/// Of an instance of 512 MB for a second: half of what a GB costs.
const INSTANCE_SECOND: f64 = 0.000_026 / 2.0;
/// Of a million calls of Table Storage.
const TABLE_CALLS: f64 = 0.036;
/// Of a million calls of Blob Storage, of which one in five writes: 0.40 and 5.50.
const BLOB_CALLS: f64 = 0.8 * 0.40 + 0.2 * 5.50;
/// Of a GB of tables and of blobs.
const TABLE_GIGABYTE: f64 = 0.045;
const BLOB_GIGABYTE: f64 = 0.018;
/// Of a unit of `BasicV2`, and of a million calls beyond the ten million that each includes.
const UNIT: f64 = 180.0;
const UNIT_INCLUDES: f64 = 10e6;
const GATEWAY_CALLS: f64 = 3.0;
/// Of a GB of telemetry.
const TELEMETRY: f64 = 2.50;
/// Of the alerts, the vault, and logs of nobody.
const AT_REST: f64 = 5.0;

/// Of a call: what API Management tells, and its trace, were each of them kept.
const TOLD_BY_THE_GATEWAY: f64 = 2.25e-6;
const TRACE: f64 = 3e-6;
/// A line of the audit, and the metrics of an instance for ten seconds in which it did something.
const LINE: f64 = 1e-6;
const METRICS: f64 = 7e-6;

/// Bytes that a user keeps, in GB: 20 snippets of 1 kB; and a session, in its two rows.
const SNIPPETS: f64 = 20e-6;
const SESSION: f64 = 6e-6;

impl Load {
    /// Executions.
    pub(crate) fn executions(self) -> f64 {
        self.month().requests() / 1e6 * EXECUTIONS
    }

    /// Instances of mcp-fn, paid by the second; a stream keeps one.
    pub(crate) fn mcp_memory(self) -> f64 {
        self.mcp_seconds() * INSTANCE_SECOND
    }

    /// Instances of oauth-fn.
    pub(crate) fn oauth_memory(self) -> f64 {
        let rate = self.month().oauth_requests() / Self::WORKING;
        let busy = active(rate, 1.0).max(rate / oauth_requests_of_an_instance());
        busy * Self::WORKING * INSTANCE_SECOND
    }

    fn mcp_seconds(self) -> f64 {
        let rate = self.month().calls / Self::WORKING;
        let for_calls = active(rate, 1.0).max(rate / calls_of_an_instance());
        for_calls.max(self.holding()) * Self::WORKING
    }

    /// Instances that hold streams, or the part of the time in which one does.
    fn holding(self) -> f64 {
        self.streams().min(1.0).max(self.streams() / STREAMS_OF_AN_INSTANCE)
    }

    /// Table Storage: sessions, and looks into the relay.
    pub(crate) fn tables(self) -> f64 {
        let month = self.month();
        let sessions = month.calls * (1.0 - self.known()) + 2.0 * month.refreshes;
        let calls = sessions + 4.0 * month.sign_ins + self.relay_looks_of_a_month();
        calls / 1e6 * TABLE_CALLS + self.sessions() * SESSION * TABLE_GIGABYTE
    }

    fn relay_looks_of_a_month(self) -> f64 {
        self.relay_looks() * self.streams().min(1.0) * Self::WORKING
    }

    /// Blob Storage.
    pub(crate) fn blobs(self) -> f64 {
        let calls = self.month().calls * OF_SNIPPETS;
        calls / 1e6 * BLOB_CALLS + self.users * SNIPPETS * BLOB_GIGABYTE
    }

    /// API Management.
    pub(crate) fn gateway(self) -> f64 {
        let beyond = (self.month().requests() - self.units() * UNIT_INCLUDES).max(0.0);
        self.units() * UNIT + beyond / 1e6 * GATEWAY_CALLS
    }

    /// Telemetry of a month, in GB.
    pub(crate) fn telemetry_volume(self) -> f64 {
        let month = self.month();
        let told = TOLD_BY_THE_GATEWAY * self.settings.gateway_sample;
        let traces = TRACE * self.settings.trace_ratio;
        let lines = LINE * (5.0 * month.sign_ins + month.refreshes);
        month.requests() * (told + traces) + lines + self.metrics()
    }

    fn metrics(self) -> f64 {
        let rate = self.month().calls / Self::WORKING;
        let instances = (self.mcp_seconds() / Self::WORKING).max(1.0);
        active(rate, 10.0).max(self.holding().min(1.0)) * instances * Self::WORKING / 10.0 * METRICS
    }

    /// What of it falls on a working day.
    pub(crate) fn daily_telemetry(self) -> f64 {
        self.telemetry_volume() / DAYS
    }

    /// Telemetry.
    pub(crate) fn telemetry(self) -> f64 {
        self.telemetry_volume() * TELEMETRY
    }

    /// Everything.
    pub(crate) fn bill(self) -> f64 {
        let apps = self.executions() + self.mcp_memory() + self.oauth_memory();
        let kept = self.tables() + self.blobs();
        apps + kept + self.gateway() + self.telemetry() + AT_REST
    }
}

/// The part of the time in which something was asked within the last `seconds`, if it is asked at
/// `rate` a second.
fn active(rate: f64, seconds: f64) -> f64 {
    1.0 - (-rate * seconds).exp()
}
