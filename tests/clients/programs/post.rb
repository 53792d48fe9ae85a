# Posts the requests of the files named, with Ruby's Net::HTTP over one connection.
require "net/http"

ARGV.group_by { |file| URI(File.open(file, &:gets).chomp).then { |url| [url.host, url.port] } }.each do |(host, port), files|
  Net::HTTP.start(host, port) do |http|
    files.each do |file|
      head, body = File.binread(file).split("\n\n", 2)
      url, *lines = head.split("\n")
      request = Net::HTTP::Post.new(URI(url), lines.to_h { |line| line.split(": ", 2) })
      request.body = body
      puts http.request(request).code
    end
  end
end
