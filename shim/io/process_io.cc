#include "shim/io/process_io.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <filesystem>

#include "shim/io/pipe.h"

namespace runsc::shim {
namespace {

using oci::UniqueFd;

oci::Expected<UniqueFd> open_fd(const std::string& path, int flags, mode_t mode = 0) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, mode));
  if (!fd) return oci::fail_errno(path);
  return fd;
}

bool is_fifo(const std::string& path) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 && S_ISFIFO(st.st_mode);
}

// Where output goes; no descriptor for none.
oci::Expected<UniqueFd> open_sink(const std::string& text) {
  const StreamTarget target = OCI_TRY(parse_stream(text));
  switch (target.kind) {
    case StreamTarget::Kind::none:
      return UniqueFd();
    case StreamTarget::Kind::binary:
      return oci::fail("a program that takes logs must be named for stdout: " + text);
    case StreamTarget::Kind::path:
      // Reading too: opening waits for nobody, and a reader who leaves breaks nothing.
      if (is_fifo(target.path)) return open_fd(target.path, O_RDWR);
      // Whoever names it has made it.
      return open_fd(target.path, O_WRONLY | O_APPEND);
    case StreamTarget::Kind::file: {
      std::error_code ignored;
      std::filesystem::create_directories(std::filesystem::path(target.path).parent_path(), ignored);
      break;
    }
  }
  return open_fd(target.path, O_WRONLY | O_APPEND | O_CREAT, 0644);
}

oci::Expected<UniqueFd> duplicate(const UniqueFd& fd) {
  UniqueFd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!copy) return oci::fail_errno("dup");
  return copy;
}

unsigned next_serial() {
  static unsigned serial = 0;
  return serial++;
}

}  // namespace

Async<oci::Expected<std::unique_ptr<ProcessIo>>> ProcessIo::open(IoContext context, StdioPaths paths) {
  auto io = std::make_unique<ProcessIo>(std::move(context));
  oci::Expected<StreamTarget> target = parse_stream(paths.out);
  if (!target) co_return std::unexpected(target.error());
  if (target->kind == StreamTarget::Kind::binary) {
    oci::Expected<std::unique_ptr<Logger>> logger = co_await Logger::start(
        io->context_.loop, io->context_.reaper, std::move(*target), io->context_.name_space, io->context_.id);
    if (!logger) co_return std::unexpected(logger.error());
    io->logger_ = std::move(*logger);
  }
  const oci::Expected<void> opened = paths.terminal ? io->open_terminal(paths) : io->open_pipes(paths);
  if (!opened) co_return std::unexpected(opened.error());
  co_return io;
}

oci::Expected<void> ProcessIo::give_to_owner(const UniqueFd& pipe) const {
  if (context_.uid == 0 && context_.gid == 0) return {};
  if (::fchown(pipe.get(), context_.uid, context_.gid) != 0) return oci::fail_errno("pipe: chown");
  return {};
}

oci::Expected<void> ProcessIo::open_input(const std::string& text) {
  const StreamTarget target = OCI_TRY(parse_stream(text));
  if (target.kind == StreamTarget::Kind::none) return {};
  if (target.kind != StreamTarget::Kind::path) return oci::fail("input must be a named pipe: " + text);
  input_source_ = OCI_TRY(open_fd(target.path, O_RDONLY));
  if (is_fifo(target.path)) input_keeper_ = OCI_TRY(open_fd(target.path, O_WRONLY));
  return {};
}

oci::Expected<void> ProcessIo::open_terminal(const StdioPaths& paths) {
  OCI_TRY_VOID(open_input(paths.in));
  if (logger_) {
    terminal_sink_ = std::move(logger_->take_pipes().out);
  } else {
    terminal_sink_ = OCI_TRY(open_sink(paths.out));
  }
  console_.emplace(
      OCI_TRY(ConsoleSocket::listen(context_.console_prefix + std::to_string(next_serial()) + ".pty")));
  return {};
}

oci::Expected<void> ProcessIo::open_pipes(const StdioPaths& paths) {
  OCI_TRY_VOID(open_input(paths.in));
  if (input_source_) {
    Pipe pipe = OCI_TRY(make_pipe());
    OCI_TRY_VOID(give_to_owner(pipe.read));
    in_ = std::move(pipe.read);
    input_ = Pump::start(context_.loop, std::move(input_source_), std::move(pipe.write), Pump::Source::pipe);
  }
  if (logger_) {
    Logger::Pipes pipes = logger_->take_pipes();
    out_ = std::move(pipes.out);
    err_ = std::move(pipes.err);
    OCI_TRY_VOID(give_to_owner(out_));
    return give_to_owner(err_);
  }
  const auto open_output = [this](const std::string& path, UniqueFd& end,
                                  std::shared_ptr<Pump>& pump) -> oci::Expected<void> {
    UniqueFd sink = OCI_TRY(open_sink(path));
    if (!sink) {
      end = OCI_TRY(open_fd("/dev/null", O_RDWR));
      return {};
    }
    Pipe pipe = OCI_TRY(make_pipe());
    OCI_TRY_VOID(give_to_owner(pipe.write));
    end = std::move(pipe.write);
    pump = Pump::start(context_.loop, std::move(pipe.read), std::move(sink), Pump::Source::pipe);
    return {};
  };
  OCI_TRY_VOID(open_output(paths.out, out_, output_));
  return open_output(paths.err, err_, errors_);
}

Streams ProcessIo::streams() const {
  Streams streams;
  streams.in = in_.get();
  streams.out = out_.get();
  streams.err = err_.get();
  if (console_) streams.console_socket = console_->path();
  return streams;
}

oci::Expected<void> ProcessIo::started() {
  in_.reset();
  out_.reset();
  err_.reset();
  if (!console_) return {};
  terminal_ = OCI_TRY(console_->receive());
  console_.reset();
  if (input_source_) {
    UniqueFd sink = OCI_TRY(duplicate(terminal_));
    input_ = Pump::start(context_.loop, std::move(input_source_), std::move(sink), Pump::Source::pipe);
  }
  UniqueFd source = OCI_TRY(duplicate(terminal_));
  output_ = Pump::start(context_.loop, std::move(source), std::move(terminal_sink_), Pump::Source::terminal);
  return {};
}

void ProcessIo::close_stdin() { input_keeper_.reset(); }

oci::Expected<void> ProcessIo::resize(unsigned columns, unsigned rows) {
  if (!terminal_) return oci::fail("the process has no terminal");
  winsize size{};
  size.ws_col = static_cast<unsigned short>(columns);
  size.ws_row = static_cast<unsigned short>(rows);
  if (::ioctl(terminal_.get(), TIOCSWINSZ, &size) != 0) return oci::fail_errno("TIOCSWINSZ");
  return {};
}

Async<void> ProcessIo::drain_all(std::shared_ptr<Pump> output, std::shared_ptr<Pump> errors) {
  if (output) co_await Pump::drain(output);
  if (errors) co_await Pump::drain(errors);
}

void ProcessIo::close() {
  in_.reset();
  out_.reset();
  err_.reset();
  input_source_.reset();
  input_keeper_.reset();
  terminal_sink_.reset();
  terminal_.reset();
  console_.reset();
  for (std::shared_ptr<Pump>* pump : {&input_, &output_, &errors_}) {
    if (*pump) (*pump)->stop();
  }
  if (logger_) Logger::finish(context_.loop, std::move(logger_));
}

}  // namespace runsc::shim
