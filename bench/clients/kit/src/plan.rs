use std::str::FromStr;
use std::time::Duration;

/// What the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// `--port`: the server's, on 127.0.0.1.
    pub port: u16,
    /// `--conns`: connections to open. Default 1 000.
    pub connections: u32,
    /// `--inflight`: messages on their way for each connection; 0: none, only heartbeats. Default 0.
    pub in_flight: u32,
    /// `--size`: bytes of a message's text, at least 16. Default 16.
    pub size: usize,
    /// `--warmup`: seconds of echoing before it counts. Default 1.
    pub warm_up: Duration,
    /// `--secs`: seconds that are measured. Default 2.
    pub measured: Duration,
    /// `--settle-ms`: pause before memory is looked at. Default 1 000.
    pub settle: Duration,
}

const DEFAULT: Plan = Plan {
    port: 0,
    connections: 1_000,
    in_flight: 0,
    size: 16,
    warm_up: Duration::from_secs(1),
    measured: Duration::from_secs(2),
    settle: Duration::from_secs(1),
};

impl Plan {
    pub(crate) fn from_arguments(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Self, String> {
        let mut plan = DEFAULT;
        while let Some(key) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{key} needs a value"))?;
            plan.set(&key, &value).ok_or_else(|| format!("{key} {value}: cannot be"))?;
        }
        if plan.port == 0 || plan.connections < 2 || plan.size < 16 {
            return Err("--port is needed, at least 2 --conns, and a --size of 16 or more".into());
        }
        Ok(plan)
    }

    fn set(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "--port" => self.port = number(value)?,
            "--conns" => self.connections = number(value)?,
            "--inflight" => self.in_flight = number(value)?,
            "--size" => self.size = number(value)?,
            "--warmup" => self.warm_up = seconds(value)?,
            "--secs" => self.measured = seconds(value)?,
            "--settle-ms" => self.settle = Duration::from_millis(number(value)?),
            _ => return None,
        }
        Some(())
    }
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(number(text)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(line: &str) -> Result<Plan, String> {
        Plan::from_arguments(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let warm_up = Duration::from_millis(500);
        let expected = Plan { port: 80, in_flight: 8, warm_up, ..DEFAULT };
        assert_eq!(plan("--port 80 --inflight 8 --warmup 0.5"), Ok(expected));
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for line in ["", "--port", "--port x", "--port 80 --size 15", "--port 80 --what 1"] {
            assert!(plan(line).is_err(), "{line}");
        }
    }
}
