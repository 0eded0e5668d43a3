//! New passwords: common ones, one's own name or address; and the renewal of hashes at sign-in.
//!
//! Come here when the rule of passwords or the parameters of Argon2 change. Sign-ins that are wrong are in `sign_in_limits`.

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use serde_json::json;

use crate::starting::run;
use crate::support::eventually;
use crate::support::service::{PASSWORD, TestService};

#[tokio::test]
async fn common_passwords_and_ones_own_name_or_address_are_refused_and_not_shown() {
    let service = TestService::start_with(&[("LOG_LEVEL", "debug")]).await;
    let ada = service.new_user("ada_l").await;
    let admin = service.admin().await;
    for (password, reason) in [
        ("Football1", "common"),
        ("1q2w3e4r5t", "common"),
        ("my-ada_l2-password", "own name"),
        ("LOVELACE1815", "own name"),
        ("countess.of.x", "own name"),
    ] {
        let new = json!({"username": "ada_l2", "email": "countess.of@example.com", "name": "Ada Lovelace", "password": password});
        let change = json!({"name": "Ada Lovelace", "email": "countess.of@example.com", "password": password, "current_password": PASSWORD});
        for answer in [
            service.post("", "/users", new).await,
            service.patch(&ada, "/users/ada_l", change.clone()).await,
            service.patch(&admin, "/users/ada_l", change).await,
        ] {
            let answer = answer.expect(422);
            assert_eq!(answer.wrong_fields(), ["password"]);
            assert!(answer.text.contains(reason), "{answer:#?}");
            assert!(!answer.text.contains(password), "{answer:#?}");
        }
    }
    // The name of before counts, too.
    let change =
        json!({"name": "X", "password": "about somebody's day", "current_password": PASSWORD});
    service
        .patch(&ada, "/users/ada_l", json!({"name": "Some Body"}))
        .await
        .expect(200);
    service
        .patch(&ada, "/users/ada_l", change)
        .await
        .expect(422);
    let log = format!("{:?}", service.log()).to_lowercase();
    for part in ["football1", "1q2w3e", "lovelace", "countess", "about some"] {
        assert!(!log.contains(part), "{part} in the log");
    }
}

#[tokio::test]
async fn a_superuser_made_by_settings_or_command_line_cannot_have_such_a_password_either() {
    let service = TestService::start().await;
    for (password, reason) in [("football1", "common"), ("x-wanda-x", "own name")] {
        let url = service.database.url();
        let administrator = [
            ("DATABASE_URL", &*url),
            ("ADMIN_USERNAME", "wanda"),
            ("ADMIN_EMAIL", "wanda@example.com"),
            ("ADMIN_PASSWORD", password),
        ];
        let create = [
            "create-superuser",
            "--username",
            "wanda",
            "--email",
            "w@example.com",
            "--password-stdin",
        ];
        for output in [
            run(&administrator, &["serve"], ""),
            run(&administrator[..1], &create, &format!("{password}\n")),
        ] {
            assert!(!output.status.success());
            let errors = String::from_utf8(output.stderr).unwrap();
            assert!(
                errors.contains("password") || errors.contains("ADMIN_PASSWORD"),
                "{errors}"
            );
            assert!(
                errors.contains(reason) && !errors.contains(password),
                "{errors}"
            );
        }
    }
}

#[tokio::test]
async fn a_sign_in_renews_the_hash_of_a_password_that_other_parameters_made() {
    let service = TestService::start().await;
    let ada = service.new_user("ada").await;
    let parameters = Params::new(8 * 1024, 1, 1, None).unwrap();
    let earlier = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
    let earlier = earlier
        .hash_password(PASSWORD.as_bytes())
        .unwrap()
        .to_string();
    let pool = service.database.pool().await;
    sqlx::query("UPDATE users SET password_hash = $1 WHERE username = 'ada'")
        .bind(&earlier)
        .execute(&pool)
        .await
        .unwrap();
    let stored = async || {
        sqlx::query_scalar::<_, String>("SELECT password_hash FROM users WHERE username = 'ada'")
            .fetch_one(&pool)
            .await
            .unwrap()
    };
    let body = json!({"username": "ada", "password": "wrong"});
    service.post("", "/auth/login", body).await.expect(401);
    assert_eq!(stored().await, earlier, "a wrong password renews nothing");
    service.sign_in("ada", PASSWORD).await;
    eventually("the hash is of today", async || {
        stored().await.contains("m=19456,t=2,p=1")
    })
    .await;
    let renewed = stored().await;
    service.sign_in("ada", PASSWORD).await;
    assert_eq!(stored().await, renewed, "a hash of today stays");
    // Nobody is signed out by it.
    service.get_as(&ada, "/users/me").await.expect(200);
}
