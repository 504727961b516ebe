// Host only. linux.seccomp of config.json as a program of classic BPF, which the sentry runs over every
// system call of the container.
#pragma once

#include <linux/filter.h>

#include <vector>

#include "oci/host/error.h"
#include "oci/spec/spec.h"

namespace runsc::oci {

// As libseccomp understands a profile: a rule without conditions goes before rules with some; of these the
// first one that fits decides; conditions of a rule must all hold, but those on one and the same argument are
// alternatives. Names of no call here are ignored. As with runc, calls that are newer than all that the
// profile names are answered ENOSYS where the default is to refuse. Errors: SCMP_ACT_NOTIFY, an errno for an
// action that takes none, a profile too large for the sentry.
// syslog(2) is let through where the default is an errno and no rule names it: `dmesg` shows the container's
// own log.
Expected<std::vector<sock_filter>> seccomp_program(const SeccompProfile& profile);

}  // namespace runsc::oci
