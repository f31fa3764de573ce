#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/instrument/detail/socket.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

namespace optotorch {
namespace {

constexpr auto tick = std::chrono::milliseconds(100);
constexpr char unix_prefix[] = "unix:", tcp_prefix[] = "tcp:";

/// One of the places that an address may mean.
struct Place {
  sockaddr_storage address = {};
  socklen_t size = 0;
};

Place unix_place(const std::string& where, const std::string& path) {
  sockaddr_un place = {};
  OPTOTORCH_CHECK(!path.empty() && path.size() < sizeof place.sun_path, .where = where, .argument = "address",
                  .expected = c10::str("unix: and a path of at most ", sizeof place.sun_path - 1, " bytes"),
                  .got = path.empty() ? "none" : "'" + path + "'");
  place.sun_family = AF_UNIX;
  std::memcpy(place.sun_path, path.c_str(), path.size());
  Place result;
  std::memcpy(&result.address, &place, sizeof place);
  result.size = sizeof place;
  return result;
}

std::vector<Place> tcp_places(const std::string& where, const std::string& address, bool to_listen) {
  const auto text = address.substr(sizeof tcp_prefix - 1);
  const auto colon = text.rfind(':');
  auto host = text.substr(0, colon);
  const auto port = colon == std::string::npos ? std::string() : text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  const bool number =
      !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
  OPTOTORCH_CHECK(!host.empty() && number && std::stoi(port) <= 65535, .where = where, .argument = "address",
                  .expected = "tcp:HOST:PORT", .got = "'" + address + "'");
  addrinfo hints = {}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = to_listen ? AI_PASSIVE : 0;
  const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (error != 0) {
    reject_connection({.where = where,
                       .argument = "address",
                       .expected = "a host that is known",
                       .got = c10::str("'", host, "' (", ::gai_strerror(error), ")")});
  }
  std::vector<Place> places;
  for (const auto* entry = found; entry != nullptr; entry = entry->ai_next) {
    Place place;
    std::memcpy(&place.address, entry->ai_addr, entry->ai_addrlen);
    place.size = entry->ai_addrlen;
    places.push_back(place);
  }
  ::freeaddrinfo(found);
  return places;
}

std::vector<Place> places_of(const std::string& where, const std::string& address, bool to_listen) {
  if (address.starts_with(unix_prefix)) {
    return {unix_place(where, address.substr(sizeof unix_prefix - 1))};
  }
  OPTOTORCH_CHECK(address.starts_with(tcp_prefix), .where = where, .argument = "address",
                  .expected = "unix:PATH or tcp:HOST:PORT", .got = "'" + address + "'");
  return tcp_places(where, address, to_listen);
}

Socket open_for(const Place& place) {
  return Socket(::socket(place.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

const sockaddr* plain(const Place& place) {
  return reinterpret_cast<const sockaddr*>(&place.address);
}

void set(const Socket& socket, int level, int option, int value = 1) {
  ::setsockopt(socket.descriptor(), level, option, &value, sizeof value);  // fails on unix sockets: no matter
}

/// Small messages leave at once, and a host that is gone is noticed though nobody speaks.
void tune(const Socket& socket) {
  set(socket, IPPROTO_TCP, TCP_NODELAY);
  set(socket, SOL_SOCKET, SO_KEEPALIVE);
  set(socket, IPPROTO_TCP, TCP_KEEPIDLE, 60);   // seconds
  set(socket, IPPROTO_TCP, TCP_KEEPINTVL, 10);  // seconds
  set(socket, IPPROTO_TCP, TCP_KEEPCNT, 6);
}

/// 0, or the errno of a connection that did not come about.
int connect_to(const Place& place, const Socket& socket, Deadline deadline, const Stopped& stopped = {}) {
  while (::connect(socket.descriptor(), plain(place), place.size) != 0) {
    if (errno == EINPROGRESS || errno == EINTR) {
      break;
    }
    if (errno != EAGAIN) {
      return errno;
    }
    // A unix socket with a full queue: poll() has no event for room in it.
    if ((stopped && stopped()) || std::chrono::steady_clock::now() >= deadline) {
      return ETIMEDOUT;
    }
    std::this_thread::sleep_for(
        std::min<Deadline::duration>(tick, deadline - std::chrono::steady_clock::now()));
  }
  if (!socket.wait(POLLOUT, deadline, stopped)) {
    return ETIMEDOUT;
  }
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(socket.descriptor(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

/// Removes the socket of a process that ended without doing so; anything else stays.
void remove_dead(const Place& place, const std::string& file) {
  struct stat status = {};
  if (::lstat(file.c_str(), &status) == 0 && S_ISSOCK(status.st_mode) &&
      connect_to(place, open_for(place), deadline_after(1)) == ECONNREFUSED) {
    ::unlink(file.c_str());
  }
}

int port_of(const Socket& socket) {
  Place own;
  own.size = sizeof own.address;
  ::getsockname(socket.descriptor(), reinterpret_cast<sockaddr*>(&own.address), &own.size);
  // The port stands at the same place in both families.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&own.address)->sin_port);
}

bool is_loopback(const Place& place) {
  if (place.address.ss_family == AF_INET) {
    return ntohl(reinterpret_cast<const sockaddr_in*>(&place.address)->sin_addr.s_addr) >> 24 ==
           IN_LOOPBACKNET;
  }
  const auto& address = reinterpret_cast<const sockaddr_in6*>(&place.address)->sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&address) ||
         (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == IN_LOOPBACKNET);
}

constexpr mode_t owner_alone = S_IRUSR | S_IWUSR;

/// bind(), where the file of a unix socket never is open to others, not for an instant.
bool bind_to(const Place& place, const Socket& socket, const std::string& file) {
  if (!file.empty()) {
    ::fchmod(socket.descriptor(), owner_alone);  // bind() takes it, less the umask, for the file
  }
  if (::bind(socket.descriptor(), plain(place), place.size) != 0) {
    return false;
  }
  struct stat status = {};
  if (!file.empty() && ::lstat(file.c_str(), &status) == 0 && (status.st_mode & ACCESSPERMS) != owner_alone) {
    ::chmod(file.c_str(), owner_alone);
  }
  return true;
}

}  // namespace

void reject_connection(const WrongInput& wrong) {
  throw LostConnection({__func__, __FILE__, static_cast<uint32_t>(__LINE__)}, message(wrong));
}

void check_seconds(const std::string& where, const std::string& argument, double seconds) {
  OPTOTORCH_CHECK(seconds > 0 && seconds <= 1e6, .where = where, .argument = argument,
                  .expected = "above 0 and at most 1e6", .got = c10::str(seconds));
}

Deadline deadline_after(double seconds) {
  return std::chrono::steady_clock::now() +
         std::chrono::duration_cast<Deadline::duration>(std::chrono::duration<double>(seconds));
}

Socket::~Socket() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

Socket::Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

bool Socket::wait(int16_t events, Deadline deadline, const Stopped& stopped) const {
  while (!stopped || !stopped()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      return false;
    }
    pollfd ask = {descriptor_, events, 0};
    if (::poll(&ask, 1, static_cast<int>(std::min(left, tick).count())) > 0) {
      return true;
    }
  }
  return false;
}

Socket connect_socket(const std::string& where, const std::string& address, Deadline deadline,
                      const Stopped& stopped) {
  int error = 0;
  for (const auto& place : places_of(where, address, /*to_listen=*/false)) {
    auto socket = open_for(place);
    error = socket.descriptor() < 0 ? errno : connect_to(place, socket, deadline, stopped);
    if (error == 0) {
      tune(socket);
      return socket;
    }
  }
  reject_connection({.where = where,
                     .argument = address,
                     .expected = "an instrument that listens",
                     .got = std::strerror(error),
                     .remedy = "Start it first, e.g. optotorch instrument --listen " + address});
}

Listener::Listener(std::string where, const std::string& address) : address_(address) {
  const bool is_file = address.starts_with(unix_prefix);
  const auto file = is_file ? address.substr(sizeof unix_prefix - 1) : std::string();
  int error = 0;
  for (const auto& place : places_of(where, address, /*to_listen=*/true)) {
    if (is_file) {
      remove_dead(place, file);
    }
    socket_ = open_for(place);
    set(socket_, SOL_SOCKET, SO_REUSEADDR);
    constexpr int waiting_clients = 16;
    if (socket_.descriptor() >= 0 && bind_to(place, socket_, file)) {
      file_ = file;
      if (::listen(socket_.descriptor(), waiting_clients) == 0) {
        if (!is_file) {
          address_ = c10::str(address.substr(0, address.rfind(':') + 1), port_of(socket_));
          beyond_loopback_ = !is_loopback(place);
        }
        return;
      }
    }
    error = errno;
  }
  reject({.where = std::move(where),
          .argument = address,
          .expected = "an address to listen on",
          .got = std::strerror(error),
          .remedy = "Choose another, or end who listens there"});
}

Listener::~Listener() {
  if (!file_.empty()) {
    ::unlink(file_.c_str());
  }
}

bool Listener::has_waiting() const {
  pollfd ask = {socket_.descriptor(), POLLIN, 0};
  return ::poll(&ask, 1, 0) > 0;
}

std::optional<Socket> Listener::accept(const Stopped& stopped) const {
  while (socket_.wait(POLLIN, Deadline::max(), stopped)) {
    Socket client(::accept4(socket_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (client.descriptor() >= 0) {
      tune(client);
      return client;
    }
    std::this_thread::sleep_for(tick);  // the client has gone already, or there are no descriptors left
  }
  return std::nullopt;
}

}  // namespace optotorch
