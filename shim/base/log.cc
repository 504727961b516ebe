#include "shim/base/log.h"

#include <fcntl.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <mutex>

#include "oci/host/unique_fd.h"

namespace runsc::shim {
namespace {

// One write a line; a line that cannot be written is lost.
class FdSink : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit FdSink(oci::UniqueFd fd) : fd_(std::move(fd)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    [[maybe_unused]] const ssize_t put = ::write(fd_.get(), line.data(), line.size());
  }
  void flush_() override {}

 private:
  oci::UniqueFd fd_;
};

// As containerd and its clients read log lines: key=value, one a line.
constexpr const char* kPattern =
    "time=\"%Y-%m-%dT%H:%M:%S.%e%z\" level=%l msg=\"%v\" runtime=io.containerd.runsc.v1";

void use(std::shared_ptr<spdlog::logger> logger, bool debug) {
  logger->set_pattern(kPattern);
  logger->set_level(debug ? spdlog::level::debug : spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace

void log_to_stderr(bool debug) {
  oci::UniqueFd fd(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
  auto logger = std::make_shared<spdlog::logger>("shim");
  if (fd) logger->sinks().push_back(std::make_shared<FdSink>(std::move(fd)));
  use(std::move(logger), debug);
}

void open_log(const std::string& fifo, bool debug) {
  auto logger = std::make_shared<spdlog::logger>("shim");
  // Reading and writing: opening does not wait for a reader, and writing to a pipe whose reader went is no
  // error.
  oci::UniqueFd fd(::open(fifo.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
  struct stat st {};
  if (fd && ::fstat(fd.get(), &st) == 0 && S_ISFIFO(st.st_mode)) {
    logger->sinks().push_back(std::make_shared<FdSink>(std::move(fd)));
  }
  use(std::move(logger), debug);
}

oci::Expected<void> open_log_file(const std::string& path) {
  oci::UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640));
  if (!fd) return oci::fail_errno(path);
  spdlog::default_logger()->sinks().push_back(std::make_shared<FdSink>(std::move(fd)));
  spdlog::default_logger()->set_pattern(kPattern);
  return {};
}

oci::Expected<void> set_log_level(const std::string& level) {
  const spdlog::level::level_enum parsed = spdlog::level::from_str(level == "warning" ? "warn" : level);
  if (parsed == spdlog::level::off && level != "off")
    return oci::fail("log_level: unknown level \"" + level + "\"");
  spdlog::set_level(parsed);
  return {};
}

}  // namespace runsc::shim
