<?php
// Posts the requests of the files named, with Guzzle.
require 'GuzzleHttp/autoload.php';

$client = new GuzzleHttp\Client(['http_errors' => false]);
foreach (array_slice($argv, 1) as $file) {
    [$head, $body] = explode("\n\n", file_get_contents($file), 2);
    $lines = explode("\n", $head);
    $url = array_shift($lines);
    $headers = [];
    foreach ($lines as $line) {
        [$name, $value] = explode(': ', $line, 2);
        $headers[$name] = $value;
    }
    echo $client->post($url, ['headers' => $headers, 'body' => $body])->getStatusCode(), "\n";
}
