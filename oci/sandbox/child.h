// Host only. A launcher's view of the process that it started.
#pragma once

#include <sys/types.h>

#include <string>

#include "oci/sandbox/report.h"

namespace runsc::oci {

// The sandbox process from the outside: its reports, its end, and the signals that it gets handed on.
class Child {
 public:
  Child(pid_t pid, int signals, int report) : pid_(pid), signals_(signals), report_(report) {}

  pid_t pid() const { return pid_; }
  bool started() const { return outcome_.started; }
  bool ready() const { return outcome_.ready; }
  bool has_namespaces() const { return outcome_.namespaces; }
  const std::vector<std::string>& warnings() const { return outcome_.warnings; }
  bool gone() const { return reaped_ && report_closed_; }

  // Until something happened: a report, the end, a signal.
  Expected<void> wait();

  void kill();
  Expected<int> exit_status() const;

 private:
  void read_more();
  void take_signal();

  pid_t pid_;
  int signals_;
  int report_;
  bool reaped_ = false;
  bool report_closed_ = false;
  int child_status_ = 0;
  std::string lines_;
  Report outcome_;
};

}  // namespace runsc::oci
