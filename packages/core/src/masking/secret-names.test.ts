import { expect, test } from '@jest/globals';
import { isSecretName } from './secret-names.js';

test.each([
  ...['password', 'Password', 'PASSWORD', 'passwords', 'db_password', 'dbPassword', 'DB-PASSWORD', 'userpassword', 'password2', 'db_password_1', 'passwd', 'pwd', 'passphrase', 'password_hash', 'new password'],
  ...['secret', 'secrets', 'client_secret', 'clientSecret', 'SharedSecret', 'stripe_webhook_secret', 'token', 'access_token', 'refreshToken', 'id_token', 'githubtoken', 'GITHUB_TOKEN', 'tokens', 'csrf-token', 'x-auth-token'],
  ...['api_key', 'apiKey', 'APIKey', 'x-api-key', 'apikeys', 'private_key', 'privateKeyPem', 'aws_secret_access_key', 'secretAccessKey', 'AccountKey', 'signing-key', 'master_key', 'authorization', 'Proxy-Authorization', 'Cookie', 'Set-Cookie', 'credentials', 'db.credential', 'spring.datasource.password'],
  ...['Passwort', 'contraseña', 'mot_de_passe', 'motDePasse', 'senha', 'hasło', 'пароль', '密码', 'パスワード', '비밀번호', 'şifre', 'pass\u200bword', 'ｐａｓｓｗｏｒｄ'],
])('%s names a secret', (name) => expect(isSecretName(name)).toBe(true));

test.each([
  ...['token_count', 'max_tokens', 'maxTokens', 'total_tokens', 'prompt_tokens', 'token_type', 'token_url', 'tokenEndpoint', 'tokens_per_second', 'secret_name', 'secretName', 'secret_arn', 'secret_version', 'password_policy', 'password_length', 'passwordExpiresAt', 'token_ttl'],
  ...['key_id', 'access_key_id', 'accessKeyId', 'api_key_name', 'key', 'keys', 'primary_key', 'partition_key', 'public_key', 'storage_key', 'cookie_consent', 'cookie_domain', 'credential_type', 'credentialsProvider', 'authorization_url', 'password_file', 'password-stdin'],
  ...['author', 'tokenizer', 'secretary', 'passenger', 'compass', 'keyboard', 'monkey', 'bypass', 'rows', 'destination', 'statement', 'id', '', '_', '123', 'amount', 'pinned', 'session'],
])('%s does not', (name) => expect(isSecretName(name)).toBe(false));
