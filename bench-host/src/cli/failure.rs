//! How a command fails: a message, and whose fault it is.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use crate::engine::StartError;
use crate::guest_build::GuestBuildError;
use crate::module::ModuleError;
use crate::record::RecordError;
use crate::replay::ReplayError;
use crate::traffic::{TrafficError, WriteError};

/// A command that could not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Bad usage or input; 2.
    Input(String),
    /// The machine or this program; 1.
    Own(String),
    /// Something was otherwise than it should be; 3.
    Gate(String),
    /// The plugin; 4.
    Plugin(String),
    /// The plugin's configuration, as the plugin says; 4.
    Configuration(String),
}

impl Failure {
    /// The exit code that scripts may rely on.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Own(_) => 1,
            Self::Input(_) => 2,
            Self::Gate(_) => 3,
            Self::Plugin(_) | Self::Configuration(_) => 4,
        })
    }

    /// The same, with the file that is at fault in front: the module, or its configuration.
    pub fn of_plugin(self, module: &Path, configuration: Option<&Path>) -> Self {
        match (self, configuration) {
            (Self::Plugin(message), _) => Self::Plugin(format!("{}: {message}", module.display())),
            (Self::Configuration(message), Some(path)) => {
                Self::Configuration(format!("{}: {message}", path.display()))
            }
            (failure, _) => failure,
        }
    }

    /// A file that the user named and that cannot be used.
    pub fn file(what: &str, path: &Path, error: &io::Error) -> Self {
        Self::Input(format!("cannot {what} {}: {error}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Input(message)
        | Self::Own(message)
        | Self::Gate(message)
        | Self::Plugin(message)
        | Self::Configuration(message)) = self;
        f.write_str(message)
    }
}

impl From<TrafficError> for Failure {
    fn from(error: TrafficError) -> Self {
        Self::Input(chain(&error))
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        Self::Input(chain(&error))
    }
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Listen { .. } => Self::Input(chain(&error)),
            RecordError::Machine(_) => Self::Own(chain(&error)),
            RecordError::Write(error) => error.into(),
        }
    }
}

impl From<ModuleError> for Failure {
    fn from(error: ModuleError) -> Self {
        Self::Input(chain(&error))
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Refused { what: StartError::CONFIGURATION, .. } => {
                Self::Configuration(error.to_string())
            }
            error => Self::Plugin(error.to_string()),
        }
    }
}

impl From<ReplayError> for Failure {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Start(error) => error.into(),
            ReplayError::Traffic(error) => error.into(),
            ReplayError::Output(error) => Self::Input(error.to_string()),
            error @ ReplayError::Thread(_) => Self::Own(error.to_string()),
        }
    }
}

impl From<GuestBuildError> for Failure {
    fn from(error: GuestBuildError) -> Self {
        match error {
            GuestBuildError::NoSuchExample { .. } | GuestBuildError::NoWorkspace { .. } => {
                Self::Input(chain(&error))
            }
            _ => Self::Own(chain(&error)),
        }
    }
}

/// An error with its causes, unless its own words hold them already.
fn chain(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        cause = error.source();
    }
    message
}
