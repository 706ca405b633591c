//! What SIGHUP does.

use crate::config::Layers;
use crate::http::Context;
use crate::system::descriptors::within_descriptors;
use log::{info, warn};

/// Loads the configuration again and takes over what can be while running. A configuration with an error
/// changes nothing.
pub(super) fn reload_config(context: &Context, layers: &Layers) {
    let new = match layers.load() {
        Ok(new) => new,
        Err(error) => {
            for line in error.to_string().lines() {
                warn!("not reloaded: {line}");
            }
            return;
        }
    };
    let old = context.config();
    let (config, changes) = old.take_live(&new);
    log::set_max_level(config.log.level);
    context.encoder.set_quality(config.jpeg.quality);
    let limits = within_descriptors(config.limits.clone());
    context.guard.set_limits(limits);
    if config.camera.rate != old.camera.rate {
        context.remote.set_rate(config.camera.rate);
    }
    if config.controls != old.controls {
        context.remote.replace(config.controls); // the file wins over what /set asked for
        if let Some(saved) = &context.saved {
            saved.save();
        }
    }
    context.set_config(config);
    let list = |keys: &[String]| match keys.is_empty() {
        true => "nothing".to_owned(),
        false => keys.join(", "),
    };
    info!("reloaded; changed: {}", list(&changes.applied));
    if !changes.needs_restart.is_empty() {
        warn!(
            "changed but in force only after a restart: {}",
            list(&changes.needs_restart)
        );
    }
}
