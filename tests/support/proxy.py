"""A TCP relay between a browser and a server, which can cut what runs over it: a network that fails while
both ends live."""

import socket
import threading


class Proxy:
    def __init__(self, port, change=lambda data: data):
        """change: what becomes of the browser's bytes on their way."""
        self.to, self.change = port, change
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.lock = threading.Lock()
        self.ends, self.is_up = set(), True
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Resets every connection, and each new one, until mend()."""
        with self.lock:
            self.is_up = False
            ends = list(self.ends)
        for end in ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def mend(self):
        with self.lock:
            self.is_up = True

    def close(self):
        self.listener.close()
        self.cut()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                if not self.is_up:
                    near.close()
                    continue
                try:
                    far = socket.create_connection(("127.0.0.1", self.to))
                except OSError:
                    near.close()
                    continue
                self.ends |= {near, far}
            for source, sink, change in ((near, far, self.change), (far, near, lambda data: data)):
                threading.Thread(target=self._relay, args=(source, sink, change), daemon=True).start()

    def _relay(self, source, sink, change):
        try:
            while data := source.recv(65536):
                sink.sendall(change(data))
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        with self.lock:
            self.ends.discard(source)
        source.close()
